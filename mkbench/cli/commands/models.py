"""`mkbench models`: the models that can be loaded by name, and what each offers."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from mkbench.backbones.known_models import BUNDLED, ModelEntry, model_entries, model_set
from mkbench.errors import UsageError
from mkbench.tables import Column, Layout, ResultTable, to_console

_UNBOUNDED = 10_000  # columns

HELP = "list the models that have a name. Any open_clip pair `Architecture,tag` and `local-dir:FOLDER` work too."


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
    shown = to_console(_table(found, capabilities=options.capabilities), width=console.width)
    # Identifiers are copied, so that none may be broken or cut, even where a line is longer than the terminal.
    Console(width=max(console.width, Console(width=_UNBOUNDED).measure(shown).maximum)).print(shown)
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


def _table(models: Sequence[Mapping[str, Any]], *, capabilities: bool) -> ResultTable:
    columns = [
        Column("name", "name", text=True, whole=True),
        Column("label", "label", text=True, whole=True, wide_only=True),
        Column("open_clip weights", _weights, text=True, whole=True),
        Column("sets", lambda model: ", ".join(model["sets"]), text=True, whole=True, wide_only=True),
    ]
    if capabilities:
        columns += [
            Column("pixels", lambda model: model["capabilities"]["image_size"], wide_only=True),
            Column("grid", _grid, text=True, whole=True, wide_only=True),
            Column("offers", _offers, text=True, whole=True),
            Column("extra", _extra, text=True),
        ]
    return ResultTable(columns, models, title="Models", look="airy", layouts=(Layout(), Layout(narrow=True)))


def _weights(model: Mapping[str, Any]) -> str:
    return BUNDLED if model["pretrained"] == BUNDLED else f"{model['architecture']},{model['pretrained']}"


def _grid(model: Mapping[str, Any]) -> str:
    rows, columns = model["capabilities"]["grid"]
    return f"{rows} x {columns}"


def _offers(model: Mapping[str, Any]) -> str:
    kinds = [kind for kind in ("class_token", "keys", "attention", "heads") if model["capabilities"][kind]]
    return ", ".join(kind.replace("_", " ") for kind in kinds) or "patches only"


def _extra(model: Mapping[str, Any]) -> str:
    return "hf" if model["capabilities"]["hugging_face"] else ""
