"""`mkbench models`: the named models."""

import argparse

from rich.console import Console

from mkbench.backbones import model_entries
from mkbench.backbones.registry import ModelEntry, model_set
from mkbench.tables import Column, ResultTable, to_console

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
    columns = [
        Column("name", lambda entry: entry.name, text=True, whole=True),
        Column("in the papers", lambda entry: entry.label, text=True),
        Column("open_clip weights", _weights, text=True),
        Column("sets", lambda entry: ", ".join(entry.sets), text=True),
    ]
    console = Console()
    console.print(to_console(ResultTable(columns, entries, title="Named models", look="framed"), width=console.width))
    return 0


def _weights(entry: ModelEntry) -> str:
    return "bundled" if entry.bundled else f"{entry.architecture},{entry.pretrained}"
