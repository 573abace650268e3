"""Reference pages of the documentation, made of what the code says of itself: metrics, schemas, options.

`python docs/site/reference.py` writes them to ``docs/``, where they are kept; a test compares them with the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from inspect import getdoc
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pyarrow as pa

from mkbench import baselines, callbacks, concepts, datamodules, scorers, systems
from mkbench.cli.command_table import COMMANDS, load_command, make_parser
from mkbench.cli.trainer_help import GENERAL_OPTIONS, TRAINER_OPTIONS, list_options
from mkbench.datamodules import ClassGroupDataModule
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.entry import MetricEntry
from mkbench.runs.group_files import IMAGE_SCHEMA, ROW_SCHEMA
from mkbench.runs.schema import SCHEMA_VERSION, Environment, FigureRegions, RunResults
from mkbench.systems.base import BenchmarkSystem

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_NOTE = "<!-- Made by docs/site/reference.py of what the code says; edit the code. -->"
_DIRECTIONS = {True: "higher", False: "lower", None: ""}
_JSON = {str: "string", int: "integer", float: "number", bool: "true or false", NoneType: "null", Any: "any value"}
#: Heading -> where a configuration names such classes, their room, their names.
_NAMED: dict[str, tuple[str, Any, Sequence[str]]] = {
    "Explainers": (
        "under `model.init_args.explainers`",
        concepts,
        ("PartsExplainer", "ClusterImportance", "SpLiCE", "SaliencyParts", "RandomParts", "WholeImage"),
    ),
    "Saliency methods": (
        "as the `method` of `SaliencyParts`",
        concepts,
        ("AttentionRollout", "AttnLRP", "ClipSurgery", "GradCam", "GradEclip", "LeGrad", "Occlusion"),
    ),
    "Trained explainers": (
        "under `model.init_args.explainers`",
        baselines,
        ("FeatureMapsExplainer", "LFCBMExplainer", "MMCBMExplainer", "MMProtoSimExplainer"),
    ),
    "Scorers": (
        "under `model.init_args.scorers`",
        scorers,
        [name for name in scorers.__all__ if name not in ("Scorer", "ScorerContext")],
    ),
}
_OUTPUTS = {"results": callbacks.ResultWriter, "progress": callbacks.GroupProgress, "figures": callbacks.Visualiser}


def write_pages(folder: Path) -> list[Path]:
    """Write all reference pages to a folder; returns their paths."""
    pages = {"metric-list.md": metric_list(), "results-schema.md": results_schema(), "configuration.md": options()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


def metric_list() -> str:
    """Page of every metric of the catalogue, by source."""
    lines = [
        "# List of metrics",
        _NOTE,
        f"The {len(CATALOGUE)} metrics that `mkbench metrics` lists, by the names that they have in `results.json`. "
        "[Metrics](metrics.md) explains the main ones, and says what they can and cannot show. *Beside it* is the "
        "metric, or the controls, without which a value says little.",
    ]
    sources: dict[str, list[MetricEntry]] = {}
    for entry in CATALOGUE.values():
        sources.setdefault(entry.source, []).append(entry)
    for source, entries in sources.items():
        title = "Defined by mkbench" if source == "mkbench" else source
        lines += [f"## {title}", _table(("metric", "meaning", "better", "beside it"), map(_metric_row, entries))]
    return _page(lines)


def _metric_row(entry: MetricEntry) -> tuple[str, ...]:
    beside = f"`{entry.beside}`" if entry.beside else "controls" if entry.against_controls else ""
    unit, direction = entry.display.unit, _DIRECTIONS[entry.display.higher_is_better]
    meaning = f"{entry.meaning} ({unit})" if unit else entry.meaning
    return f"`{entry.name}`", meaning, direction, beside


def results_schema() -> str:
    """Page of the files that hold results: JSON documents and columns of rows."""
    lines = [
        "# Schema of the results",
        _NOTE,
        f"Version {SCHEMA_VERSION}. A run folder of another version, or whose documents depart from this, is refused "
        "with the place. [Reliability](reliability.md) says what the files of a run folder are; [from "
        "Python](metrics.md#numbers-in-python), `mkbench.read_runs` gives tables. An entry that is not *always* there "
        "is left out by systems that have nothing to say in it; systems and data sets may add entries of their own.",
        "## results.json",
        *_documents(RunResults),
        "## environment.json",
        *_documents(Environment),
        "## figures/sample-*.json",
        *_documents(FigureRegions),
        "## Rows of the groups",
        "`groups/*.parquet` of a run that explains images; a row for each image and explainer:",
        _columns(ROW_SCHEMA),
        "Of a run without explanations; a row for each image, followed by the columns of the system:",
        _columns(IMAGE_SCHEMA),
        "Columns of scorers and systems follow. Those that metrics of the catalogue read:",
        _table(("column", "read by"), _metric_columns()),
        "All others are called as the metric that reads them; see the [list of metrics](metric-list.md).",
    ]
    return _page(lines)


def _documents(kind: Any) -> list[str]:
    """Sections of a TypedDict, and of those that it holds."""
    sections, waiting, seen = [], [kind], set()
    while waiting:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        hints = get_type_hints(current)
        if current is not kind:
            sections.append(f"### {current.__name__}")
        sections.append(_prose(getdoc(current) or ""))
        rows = [(f"`{name}`", _json_type(hint), _always(name, current)) for name, hint in hints.items()]
        sections.append(_table(("entry", "type", "always"), rows))
        waiting += [held for hint in hints.values() for held in _held(hint)]
    return sections


def _always(name: str, kind: Any) -> str:
    return "yes" if name in kind.__required_keys__ else ""


def _held(hint: Any) -> list[Any]:
    """TypedDicts inside an annotation."""
    return [hint] if is_typeddict(hint) else [held for option in get_args(hint) for held in _held(option)]


def _json_type(hint: Any) -> str:
    """Words for an annotation, as JSON has it."""
    origin, options = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if hint in _JSON:
        return _JSON[hint]
    if origin is tuple:
        return f"list of {len(options)} × {_json_type(options[0])}"
    if origin is list:
        return f"list of {_json_type(options[0])}"
    if origin is dict:
        return f"object of {_json_type(options[1])}"
    return " or ".join(map(_json_type, options))


def _columns(schema: pa.Schema) -> str:
    words = {"bool": "boolean", "list<element: ": "list<", "list<item: ": "list<"}
    rows = []
    for column in schema:
        kind = str(column.type)
        for old, new in words.items():
            kind = kind.replace(old, new)
        rows.append((f"`{column.name}`", f"`{kind}`"))
    return _table(("column", "type"), rows)


def _metric_columns() -> list[tuple[str, str]]:
    readers: dict[str, list[str]] = {}
    for entry in CATALOGUE.values():
        for column in entry.columns:
            if column not in (*ROW_SCHEMA.names, entry.name):
                readers.setdefault(column, []).append(f"`{entry.name}`")
    return [(f"`{column}`", ", ".join(names)) for column, names in readers.items()]


def options() -> str:
    """Page of the options of all commands and of the classes that a configuration names."""
    lines = [
        "# Configuration",
        _NOTE,
        "What `mkbench predict` and `mkbench fit` take, on the command line and in a configuration; then the options "
        "of all other commands. Brackets hold defaults. In a configuration, `--model.pool 62` is\n\n"
        "```yaml\nmodel:\n  class_path: mkbench.systems.MutualKnowledge\n  init_args:\n    pool: 62\n```\n\n"
        "Options on the command line come after `--config`, and override it. `mkbench predict --config FILE --help` "
        "shows those of the classes that the file names, `--print_config` what would run.",
        "## General",
        _option_table(GENERAL_OPTIONS.items()),
        "## Trainer",
        _option_table(TRAINER_OPTIONS.items()),
        "## Output",
        *(_option_table(list_options(kind, part)) for part, kind in _OUTPUTS.items()),
        "## Systems",
        "Named by `model.class_path`, as `mkbench.systems.NAME`.",
        *_family(systems, systems.__all__, "model", BenchmarkSystem),
        "## Data sets",
        "Named by `data.class_path`, as `mkbench.datamodules.NAME`; see [data](data.md).",
        *_family(datamodules, datamodules.__all__[2:], "data", ClassGroupDataModule),
    ]
    for title, (place, room, names) in _NAMED.items():
        lines += [f"## {title}", f"Named {place}, as `{room.__name__}.NAME`."]
        lines += [section for name in names for section in _class(name, getattr(room, name), _arguments(room, name))]
    lines += ["## Commands", *map(_command, COMMANDS)]
    return _page(lines)


def _family(room: Any, names: Iterable[str], part: str, base: type) -> list[str]:
    """Sections of classes that derive from one, whose options stand once, before theirs."""
    shared = list_options(base, part)
    sections = ["### Options of all of them", _option_table(shared)]
    for name in names:
        kind = getattr(room, name)
        sections += _class(name, kind, [option for option in list_options(kind, part) if option not in shared])
    return sections


def _arguments(room: Any, name: str) -> list[tuple[str, str]]:
    """Options of a class that stand under its ``init_args``."""
    options = list_options(getattr(room, name), "init_args")
    return [(option.removeprefix("--init_args."), meaning) for option, meaning in options]


def _class(name: str, kind: type, rows: Sequence[tuple[str, str]]) -> list[str]:
    headline = _prose((getdoc(kind) or "").split("\n\n")[0])
    return [f"### {name}", headline, _option_table(rows) if rows else "No options of its own."]


def _command(name: str) -> str:
    rows = []
    for action in make_parser(name)._actions:
        if action.dest == "help":
            continue
        flags = ", ".join(action.option_strings) or str(action.metavar or action.dest).upper()
        said = " ".join((action.help or "").replace("%%", "%").split()).replace(f"{ROOT}/", "")
        known = isinstance(action.default, (str, int, float)) and action.default not in (False, "==SUPPRESS==", "")
        rows.append((flags, f"{said} ({action.default})" if known and action.option_strings else said))
    said = _prose(load_command(name).HELP)
    text = f"### mkbench {name}\n\n{said[0].upper()}{said[1:]}"
    return f"{text}\n\n{_option_table(rows)}" if rows else text


def _option_table(rows: Iterable[tuple[str, str]]) -> str:
    return _table(("option", "meaning"), [(f"`{name}`", text) for name, text in rows])


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, [":--"] * len(headings), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|").replace("\n", " ")


def _prose(text: str) -> str:
    """Text of a docstring as Markdown: its roles and what looks like a tag are code."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces)


def _page(lines: Iterable[str]) -> str:
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    for written in write_pages(DOCS):
        print(written.relative_to(ROOT))
