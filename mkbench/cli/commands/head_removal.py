"""`mkbench heads remove`: head removal, worst-group accuracy without chosen heads."""

import argparse
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option
from mkbench.studies.head_queries.read_head import read_head

HELP = (
    "take heads out of the embeddings of a run and compare accuracies, of the worst group too. The run is of a "
    "configuration such as critters/background.yaml; head_removal.json goes to it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--label", help="remove the heads that `mkbench heads RUN` gave this label, or a kind of it")
    chosen.add_argument(
        "--heads",
        nargs="+",
        type=read_head,
        metavar="LAYER.HEAD",
        help="remove these, both numbers from 0, such as 3.2",
    )
    parser.add_argument(
        "--fits",
        type=int,
        default=0,
        help="beside --label: only heads of which at least so many of five texts fit their label; 0 takes all",
    )
    parser.add_argument(
        "--probe",
        type=Path,
        metavar="TIED_RUN",
        help="run over images in which class and background are tied, from which a linear probe is fitted",
    )
    parser.add_argument(
        "--ablation",
        choices=("zero", "mean"),
        default="zero",
        help="what takes the place of what a head adds: nothing, or its mean over the images",
    )
    parser.add_argument("--seeds", type=int, default=5, help="sets of as many random heads to compare with")
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Remove the heads and print what is left of each group.

    Raises:
        UsageError: options, runs or data that do not fit.
        DataError: a damaged file, or other weights than those of the run.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system  # noqa: PLC0415
    from mkbench.studies.head_removal.choice import RemovalOptions  # noqa: PLC0415
    from mkbench.studies.head_removal.study import remove_from_run  # noqa: PLC0415
    from mkbench.studies.head_removal.table import show_removal  # noqa: PLC0415

    how = RemovalOptions(
        label=options.label,
        fits=options.fits,
        heads=tuple(options.heads or ()),
        ablation=options.ablation,
        seeds=options.seeds,
    )
    trust: bool = options.trust_config
    restore_results([run for run in (options.run, options.probe) if run is not None], trust=trust)
    system, data = load_system(options.run, trust=trust), load_data(options.run, trust=trust)
    document = remove_from_run(options.run, system, data, how, probe=options.probe)
    console = Console()
    console.print(show_removal(document, width=console.width))
    return 0
