"""`mkbench metrics`: every metric of the results."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.entry import MetricEntry
from mkbench.tables import Column, ResultTable, to_console

HELP = "list the metrics: what each means, which way is better, what stands beside it, and where it is defined."
#: Heading -> key of what is said of a metric.
_COLUMNS = (
    *(("metric", "name"), ("meaning", "meaning"), ("better", "better")),
    *(("unit", "unit"), ("beside it", "beside"), ("source", "source")),
)
_NARROW = _COLUMNS[:4]  # of a terminal on which all columns would break words
_WRAPPED = ("meaning", "source")  # sentences
_UNBOUNDED = 10_000  # columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    rows = [_describe(entry) for entry in CATALOGUE.values()]
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    console = Console()
    shown = _draw(rows, _COLUMNS, console)
    if console.measure(shown, options=console.options.update(width=_UNBOUNDED)).minimum > console.width:
        shown = _draw(rows, _NARROW, console)
    console.print(shown)
    return 0


def _draw(rows: Sequence[Mapping[str, Any]], headings: Sequence[tuple[str, str]], console: Console) -> Group:
    columns = [Column(heading, key, text=True, absent="", whole=key not in _WRAPPED) for heading, key in headings]
    notes = [] if headings == _COLUMNS else ["A wider terminal and --json show what stands beside each and its source."]
    table = ResultTable(columns, rows, title="Metrics", look="framed", notes=notes)
    return to_console(table, width=console.width)


def _describe(entry: MetricEntry) -> dict[str, Any]:
    """What is said of a metric."""
    better = {True: "higher", False: "lower", None: None}[entry.display.higher_is_better]
    return {
        "name": entry.name,
        "heading": entry.display.heading,
        "meaning": entry.meaning,
        "better": better,
        "unit": entry.display.unit,
        "beside": entry.beside or ("controls" if entry.against_controls else None),
        "against_controls": entry.against_controls,
        "columns": list(entry.columns),
        "class": entry.metric.__name__,
        "source": entry.source,
    }
