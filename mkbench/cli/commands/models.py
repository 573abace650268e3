"""`mkbench models`: the models that can be loaded by name, and what each offers."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mkbench.backbones.registry import ModelEntry, model_entries, model_set
from mkbench.errors import UsageError
from mkbench.tables.fitting import first_fitting

HELP = "list the models that have a name. Any open_clip pair `Architecture,tag` and `local-dir:FOLDER` work too."

#: Columns left out one after the other where the terminal is narrow; names and weights always stay, and whole.
_OPTIONAL = ("sets", "label", "grid", "pixels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--set", dest="model_set", help="only the models of one set, such as mutual-knowledge-table3")
    parser.add_argument("--all", action="store_true", dest="all_pairs", help="every pair that open_clip publishes")
    parser.add_argument(
        "--capabilities",
        action="store_true",
        help="show what can be read from each model: patches, attention keys, attention weights, heads",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> int:
    """Print the models.

    Raises:
        UsageError: a set that does not exist, or a set beside all pairs.
    """
    entries = _list_entries(options.model_set, all_pairs=options.all_pairs)
    found = [_describe(entry, capabilities=options.capabilities) for entry in entries]
    if options.json:
        print(json.dumps({"models": found}, indent=1, ensure_ascii=False))
        return 0
    console = Console()
    table = first_fitting(_layouts([_row(description) for description in found]), console.width)
    # An identifier is copied, so that it must not be broken, even where a line is longer than the terminal.
    Console(width=max(console.width, Console(width=10_000).measure(table).maximum)).print(table)
    return 0


def _list_entries(name: str | None, *, all_pairs: bool) -> Sequence[ModelEntry]:
    if name is not None and all_pairs:
        raise UsageError(f"Expected either --set or --all, found both; leave out --all for the set {name}.")
    if all_pairs:
        # Here, for open_clip takes seconds to import.
        from mkbench.backbones.open_clip_pairs import open_clip_pairs  # noqa: PLC0415

        return open_clip_pairs()
    return model_entries() if name is None else model_set(name)


def _describe(entry: ModelEntry, *, capabilities: bool) -> dict[str, Any]:
    description = asdict(entry)
    if capabilities:
        from mkbench.backbones.capabilities import entry_capabilities  # noqa: PLC0415  # as above

        description["capabilities"] = asdict(entry_capabilities(entry))
    return description


def _row(description: Mapping[str, Any]) -> dict[str, str]:
    bundled = description["pretrained"] == "bundled"
    row = {
        "name": description["name"],
        "label": description["label"],
        "open_clip weights": "bundled" if bundled else f"{description['architecture']},{description['pretrained']}",
        "sets": ", ".join(description["sets"]),
    }
    if "capabilities" not in description:
        return row
    found = description["capabilities"]
    kinds = [name for name in ("class_token", "keys", "attention", "heads") if found[name]]
    return row | {
        "pixels": str(found["image_size"]),
        "grid": " x ".join(map(str, found["grid"])),
        "offers": ", ".join(kind.replace("_", " ") for kind in kinds) or "patches only",
        "extra": "hf" if found["hugging_face"] else "",
    }


def _layouts(rows: Sequence[Mapping[str, str]]) -> Iterator[Table]:
    columns = list(rows[0])
    for left_out in range(len(_OPTIONAL) + 1):
        yield _table(rows, [column for column in columns if column not in _OPTIONAL[:left_out]])


def _table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> Table:
    table = Table(title="Models", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    return table
