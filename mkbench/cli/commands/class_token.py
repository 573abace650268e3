"""`mkbench class-token`: similarity of the class token and the patches of images over the layers of a model."""

import argparse
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option

HELP = (
    "compare the class token with the patches after every layer, as tokens and as attention keys, on the images of a "
    "finished run. class_token.png, .pdf and .json go to RUN/analyses."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
    parser.add_argument(
        "--images-per-class", type=int, metavar="N", help="read the first images of each class; None takes all"
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the similarities, and write their figure and data.

    Raises:
        UsageError: options, a run or data that do not fit.
        DataError: a damaged file, other weights or other images than those of the run.
        BackboneError: a model without class token.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_any_system, load_data, on_accelerator  # noqa: PLC0415
    from mkbench.plotting.style import save_figure  # noqa: PLC0415
    from mkbench.runs.run_folder import ANALYSES, write_json  # noqa: PLC0415
    from mkbench.studies.class_token.figure import class_token_figure  # noqa: PLC0415
    from mkbench.studies.class_token.study import class_token_curves  # noqa: PLC0415
    from mkbench.studies.class_token.table import class_token_table  # noqa: PLC0415
    from mkbench.tables import to_console  # noqa: PLC0415

    trust = options.trust_config
    restore_results([options.run], trust=trust)
    system = on_accelerator(load_any_system(options.run, trust=trust))
    data = load_data(options.run, trust=trust)
    found = class_token_curves(options.run, system, data, images_per_class=options.images_per_class)
    console = Console()
    console.print(to_console(class_token_table(found), width=console.width))
    base = options.run / ANALYSES / "class_token"
    drawn = save_figure(class_token_figure(found), base)
    write_json(base.with_suffix(".json"), found.document)
    for path in (*drawn, base.with_suffix(".json")):
        print(path)
    return 0
