"""`mkbench heads prune`: accuracy without the heads of high or low concept consistency."""

import argparse
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option
from mkbench.studies.head_queries.read_head import read_head

HELP = (
    "ablate heads in the running model and compare accuracies: heads of high and of low concept consistency (CCS), "
    "each beside random ones. Later layers see that a head is ablated (the total effect; `mkbench heads remove` takes "
    "out what heads add to the embedding directly). `mkbench heads RUN` finds the CCS; head_pruning.json goes to the "
    "run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
    parser.add_argument(
        "--high", type=int, default=5, help="one set: heads of which so many of five texts fit, or more"
    )
    parser.add_argument("--low", type=int, default=1, help="the other: heads of which so many fit, or fewer")
    parser.add_argument(
        "--heads",
        nargs="+",
        type=read_head,
        metavar="LAYER.HEAD",
        help="ablate these instead, of any layer, both numbers from 0, such as 3.2",
    )
    parser.add_argument("--seeds", type=int, default=5, help="sets of as many random heads to compare with")
    parser.add_argument(
        "--images-per-class", type=int, metavar="N", help="classify the first images of each class; None takes all"
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Ablate the heads and print what accuracy is left.

    Raises:
        UsageError: options, a run or data that do not fit.
        DataError: a damaged file, other weights or other images than those of the run.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system, on_accelerator  # noqa: PLC0415
    from mkbench.studies.head_pruning.choice import PruningOptions  # noqa: PLC0415
    from mkbench.studies.head_pruning.study import prune_run  # noqa: PLC0415
    from mkbench.studies.head_pruning.table import show_pruning  # noqa: PLC0415

    how = PruningOptions(
        high=options.high,
        low=options.low,
        heads=tuple(options.heads or ()),
        seeds=options.seeds,
        images_per_class=options.images_per_class,
    )
    restore_results([options.run], trust=options.trust_config)
    system = on_accelerator(load_system(options.run, trust=options.trust_config))
    document = prune_run(options.run, system, load_data(options.run, trust=options.trust_config), how)
    console = Console()
    console.print(show_pruning(document, width=console.width))
    return 0
