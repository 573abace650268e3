"""`mkbench compare`: finished runs side by side."""

import argparse
from pathlib import Path

from mkbench.verbs.bench import report

HELP = "put finished runs side by side: rank table, differences of pairs of models, AUC against accuracy, MI curves."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a model's run, as runs/demo/critters-vit-s, or of a bench",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of the tables and figures")


def run(options: argparse.Namespace) -> int:
    """Write and print the comparison.

    Raises:
        UsageError: a folder without a finished run.
    """
    from mkbench.results.runs import find_runs  # noqa: PLC0415 - pyarrow takes a second to import

    report(find_runs(options.runs), options.out)
    return 0
