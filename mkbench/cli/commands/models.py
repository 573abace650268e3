"""`mkbench models`: the named models."""

import argparse

from rich.console import Console
from rich.table import Table

from mkbench.backbones import model_entries
from mkbench.backbones.registry import model_set

HELP = "list the models that have a name. Any open_clip pair `Architecture,tag` and `local-dir:FOLDER` work too."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--set", dest="model_set", help="only the models of one set, such as mutual-knowledge-table3")


def run(options: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        UsageError: a set that does not exist.
    """
    entries = model_entries() if options.model_set is None else model_set(options.model_set)
    table = Table(title="Named models", title_justify="left")
    table.add_column("name", no_wrap=True)
    for column in ("in the papers", "open_clip weights", "sets"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        weights = "bundled" if entry.bundled else f"{entry.architecture},{entry.pretrained}"
        table.add_row(entry.name, entry.label, weights, ", ".join(entry.sets))
    Console().print(table)
    return 0
