"""How a comparison with a published table is shown: console, Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import ABSENT
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.mutual_knowledge.table import fixed, markdown_table
from mkbench.studies.reproduction.study import Cell, Verification

HEADERS = ("model", "column", "published", "measured [95 % interval]", "difference", "verdict")
_COLOURS = {"match": "green", "mismatch": "bold red", "not comparable": "yellow"}
_LEFT = ("model", "column", "verdict")


def verification_files(verification: Verification, folder: str | Path, *, complete: bool = False) -> None:
    """Write ``verify.csv``, ``verify.md`` and ``verify.json``; the same verification gives the same bytes.

    Args:
        verification: of ``verify``.
        folder: where to write; made where it is missing.
        complete: whether models that were not run count as a failure.
    """
    target = Path(folder)
    write_text_atomically(target / "verify.csv", to_csv(verification))
    write_text_atomically(target / "verify.md", to_markdown(verification, complete=complete))
    content = to_json(verification, complete=complete)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text_atomically(target / "verify.json", f"{text}\n")


def summary(verification: Verification, *, complete: bool = False) -> str:
    """Say in a line what came out.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> summary(Verification(load_published("mutual-knowledge-food101"), (), ("ViT-B/16-dfn",)), complete=True)
    'Not verified: 0 numbers match, 0 mismatch, 0 not comparable; 1 of 3 models not run.'
    """
    counts = verification.counts
    verified = "Verified" if verification.verified(complete=complete) else "Not verified"
    numbers = ", ".join([f"{counts['match']} numbers match", *(f"{counts[v]} {v}" for v in list(_COLOURS)[1:])])
    missing = f", {len(verification.not_measured)} numbers of other variants" if verification.not_measured else ""
    return f"{verified}: {numbers}; {counts['not run']} of {len(verification.table.rows)} models{missing} not run."


def explanations(verification: Verification) -> list[str]:
    """List the reasons why cells do not compare, each once with the models and columns it holds for.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> cell = Cell("RN-50", "runs/rn", "top1", "top-1 %", 58.42, None, 0.3, "not comparable", ("random weights",))
    >>> explanations(Verification(load_published("mutual-knowledge-table3"), (cell,), ()))
    ['random weights (all runs; all columns)']
    """
    of_reason: dict[str, list[Cell]] = {}
    for cell in verification.cells:
        for reason in cell.reasons:
            of_reason.setdefault(reason, []).append(cell)
    runs, columns = _scope(verification.cells)
    lines = []
    for reason, cells in of_reason.items():
        own_runs, own_columns = _scope(cells)
        models = "all runs" if own_runs == runs else ", ".join(own_runs.values())
        keys = "all columns" if own_columns == columns else ", ".join(own_columns)
        lines.append(f"{reason} ({models}; {keys})")
    return lines


def _scope(cells: Sequence[Cell]) -> tuple[dict[str, str], list[str]]:
    """Models by their folders, and the keys of the columns."""
    return {cell.run: cell.model for cell in cells}, list(dict.fromkeys(cell.column for cell in cells))


def _texts(verification: Verification, cell: Cell) -> list[str]:
    """The printed cells, in the order of ``HEADERS``."""
    decimals = verification.table.columns[cell.column].decimals
    published = ABSENT if cell.published is None else fixed(cell.published, decimals)
    measured = ABSENT
    if cell.measured is not None:
        measured, *bounds = (fixed(value, decimals) for value in (cell.measured.value, *(cell.measured.interval or ())))
        measured += f" [{', '.join(bounds)}]" if bounds else ""
    # A decimal more, so that a difference just above the tolerance does not look like it.
    difference = (
        ABSENT if cell.difference is None else f"{round(cell.difference, decimals + 1) + 0.0:+.{decimals + 1}f}"
    )
    return [cell.model, cell.label, published, measured, difference, cell.verdict]


def to_console(verification: Verification, *, complete: bool = False) -> Group:
    """Render a verification for a terminal of 100 columns or more.

    Args:
        verification: of ``verify``.
        complete: whether models that were not run count as a failure.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> print(to_console(Verification(load_published("mutual-knowledge-food101"), (), ())).renderables[-1])
    Verified: 0 numbers match, 0 mismatch, 0 not comparable; 0 of 3 models not run.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_heading(verification), title_justify="left")
    for header in HEADERS:
        table.add_column(header, justify="left" if header in _LEFT else "right", overflow="fold")
    previous = None
    for cell in verification.cells:
        texts = _texts(verification, cell)
        if cell.run == previous:
            texts[0] = ""
        elif previous is not None:
            table.add_section()
        previous = cell.run
        # Text objects are shown as they are; a plain string would be read as markup.
        table.add_row(*map(Text, texts[:-1]), Text(texts[-1], style=_COLOURS[cell.verdict]))
    verified = verification.verified(complete=complete)
    below = [*map(Text, _reason_lines(verification)), *map(Text, _remarks(verification))]
    outcome = Text(summary(verification, complete=complete), style="bold green" if verified else "bold red")
    return Group(table, *below, outcome)


def _heading(verification: Verification) -> Text:
    table = verification.table
    return Text(f"{table.title}, {table.images:,} images: {table.source}")


def _remarks(verification: Verification) -> list[str]:
    """What is to be known beside the numbers: tolerances, the table's note, what was not run."""
    of_tolerance: dict[float, list[str]] = {}
    for key, column in verification.table.columns.items():
        of_tolerance.setdefault(column.tolerance, []).append(key)
    tolerances = "; ".join(f"{tolerance:g} for {', '.join(keys)}" for tolerance, keys in of_tolerance.items())
    lines = [f"Tolerances: {tolerances}."]
    if verification.table.note:
        lines.append(verification.table.note)
    if verification.not_run:
        lines.append(f"Not run: {', '.join(verification.not_run)}.")
    if verification.not_measured:
        labels = {key: column.label for key, column in verification.table.columns.items()}
        missing = "; ".join(f"{model} {labels[key]}" for model, key in verification.not_measured)
        lines.append(f"Not run in the variant of: {missing}.")
    return lines


def _reason_lines(verification: Verification) -> list[str]:
    reasons = explanations(verification)
    return ["Not comparable:", *(f"- {reason}" for reason in reasons)] if reasons else []


def to_markdown(verification: Verification, *, complete: bool = False) -> str:
    """Render a verification as Markdown.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> print(to_markdown(Verification(load_published("mutual-knowledge-food101"), (), ())).splitlines()[0])
    # mutual-knowledge-food101
    """
    table = markdown_table(HEADERS, [_texts(verification, cell) for cell in verification.cells], left=_LEFT)
    head = f"# {verification.table.name}\n\n{_heading(verification)}.\n\n{summary(verification, complete=complete)}\n"
    reasons = "\n".join(_reason_lines(verification)).replace(":\n", ":\n\n", 1)
    return "\n".join([head, table, *(f"{block}\n" for block in (reasons, *_remarks(verification)) if block)])


_FIELDS = ("model", "run", "column", "published", "measured", "low", "high", "difference", "tolerance", "verdict")


def _record(cell: Cell) -> dict[str, Any]:
    low, high = (cell.measured.interval if cell.measured else None) or (None, None)
    values = {"measured": cell.measured.value if cell.measured else None, "low": low, "high": high}
    return {name: values[name] if name in values else getattr(cell, name) for name in _FIELDS}


def to_csv(verification: Verification) -> str:
    """Render a verification for programs: full precision, absent values empty, reasons separated by semicolons.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> print(to_csv(Verification(load_published("mutual-knowledge-food101"), (), ())), end="")
    model,run,column,published,measured,low,high,difference,tolerance,verdict,reasons
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [*_FIELDS, "reasons"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**_record(cell), "reasons": "; ".join(cell.reasons)} for cell in verification.cells)
    return out.getvalue()


def to_json(verification: Verification, *, complete: bool = False) -> dict[str, Any]:
    """Return a verification as JSON.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> to_json(Verification(load_published("mutual-knowledge-food101"), (), ()))["verified"]
    True
    """
    return {
        "table": verification.table.name,
        "source": verification.table.source,
        "verified": verification.verified(complete=complete),
        "complete": complete,
        "counts": verification.counts,
        "cells": [{**_record(cell), "reasons": list(cell.reasons)} for cell in verification.cells],
        "not_run": list(verification.not_run),
        "not_measured": [list(missing) for missing in verification.not_measured],
    }
