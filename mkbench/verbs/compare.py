"""`mkbench compare`: finished runs side by side."""

import argparse
from pathlib import Path

from mkbench.verbs.bench import report

HELP = "put finished runs side by side: a rank table, and AUC against accuracy."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument("runs", nargs="+", type=Path, help="folders of models, as runs/demo/critters-vit-s")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of the tables and figures")


def run(options: argparse.Namespace) -> int:
    """Write and print the comparison."""
    report(options.runs, options.out)
    return 0
