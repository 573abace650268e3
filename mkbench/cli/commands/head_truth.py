"""`mkbench heads truth`: what the heads of a run write, against images of which one thing is changed."""

import argparse
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option

HELP = (
    "say which factor of an image each head writes (colour, tail, ...), by images that differ in exactly one. And "
    "whether labels name it, and maps of a descriptor lie on its part. For runs over Critters, after `mkbench heads "
    "RUN`; head_truth.json and analyses/head_truth.png go to the run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
    parser.add_argument(
        "--images-per-class", type=int, default=3, metavar="N", help="change the first images of each class"
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Measure the heads, write the figure and print the tables.

    Raises:
        UsageError: options, a run or data that do not fit.
        DataError: a damaged file, other weights or other images than those of the run.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system, on_accelerator  # noqa: PLC0415
    from mkbench.plotting.style import save_figure  # noqa: PLC0415
    from mkbench.runs.results import model_label, read_results  # noqa: PLC0415
    from mkbench.runs.run_folder import ANALYSES  # noqa: PLC0415
    from mkbench.studies.head_truth.choice import TruthOptions  # noqa: PLC0415
    from mkbench.studies.head_truth.figure import truth_figure  # noqa: PLC0415
    from mkbench.studies.head_truth.study import measure_head_truth  # noqa: PLC0415
    from mkbench.studies.head_truth.table import show_truth  # noqa: PLC0415

    how = TruthOptions(images_per_class=options.images_per_class)
    restore_results([options.run], trust=options.trust_config)
    system = on_accelerator(load_system(options.run, trust=options.trust_config))
    document = measure_head_truth(options.run, system, load_data(options.run, trust=options.trust_config), how)
    figure = truth_figure(document, model=model_label(read_results(options.run)))
    save_figure(figure, options.run / ANALYSES / "head_truth")
    console = Console()
    console.print(show_truth(document, width=console.width))
    return 0
