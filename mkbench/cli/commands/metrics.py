"""`mkbench metrics`: every metric of the results."""

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.entry import MetricEntry

HELP = "list the metrics: what each means, which way is better, what stands beside it, and where it is defined."
_COLUMNS = ("metric", "meaning", "better", "unit", "beside it", "source")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    rows = [_describe(entry) for entry in CATALOGUE.values()]
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    table = Table(title="Metrics", title_justify="left")
    table.add_column(_COLUMNS[0], no_wrap=True)
    for column in _COLUMNS[1:]:
        table.add_column(column, overflow="fold")
    for row in rows:
        beside = row["beside"] or ("random parts" if row["against_random"] else "")
        table.add_row(row["name"], row["meaning"], row["better"] or "", row["unit"], beside, row["source"])
    Console().print(table)
    return 0


def _describe(entry: MetricEntry) -> dict[str, Any]:
    """What is said of a metric."""
    better = {True: "higher", False: "lower", None: None}[entry.display.higher_is_better]
    return {
        "name": entry.name,
        "heading": entry.display.heading,
        "meaning": entry.meaning,
        "better": better,
        "unit": entry.display.unit,
        "beside": entry.beside,
        "against_random": entry.against_random,
        "columns": list(entry.columns),
        "class": entry.metric.__name__,
        "source": entry.source,
    }
