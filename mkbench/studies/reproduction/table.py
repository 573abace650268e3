"""Table of a comparison with a published table: console, Markdown, CSV and JSON."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from mkbench.concepts.controls import CONTROLS
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.reproduction.study import Cell, Verification
from mkbench.tables import Cell as TableCell
from mkbench.tables import Column, ResultTable, to_console, to_markdown, write_table

_COLOURS = {"match": "green", "mismatch": "bold red", "not comparable": "yellow"}


def verification_files(verification: Verification, folder: str | Path, *, complete: bool = False) -> None:
    """Write ``verify.csv``, ``verify.md`` and ``verify.json``; the same verification gives the same bytes.

    Args:
        verification: of ``verify``.
        folder: where to write; made where it is missing.
        complete: whether models that were not run count as a failure.
    """
    target = Path(folder)
    write_table(verification_table(verification), target, "verify", ("csv",))
    write_text_atomically(target / "verify.md", verification_markdown(verification, complete=complete))
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


def verification_table(verification: Verification) -> ResultTable:
    """Declare the table of a verification: a row for each cell of the published table.

    Args:
        verification: of ``verify``.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> table = verification_table(Verification(load_published("mutual-knowledge-food101"), (), ()))
    >>> [column.title for column in table.shown]
    ['model', 'column', 'published', 'measured [95 % interval]', 'difference', 'verdict']
    """
    decimals = {key: column.decimals for key, column in verification.table.columns.items()}

    def in_column(name: str, more: int = 0) -> Callable[[Cell], TableCell]:
        return lambda cell: TableCell(getattr(cell, name), decimals=decimals[cell.column] + more)

    columns = [
        Column("model", attrgetter("model"), text=True, csv="model"),
        Column(None, attrgetter("run"), csv="run"),
        Column("column", attrgetter("label"), text=True),
        Column(None, attrgetter("column"), csv="column"),
        Column("published", in_column("published"), csv="published"),
        Column("measured [95 % interval]", in_column("measured"), csv=("measured", "low", "high")),
        # A decimal more, so that a difference just above the tolerance does not look like it.
        Column("difference", in_column("difference", 1), signed=True, csv="difference"),
        Column(None, attrgetter("tolerance"), csv="tolerance"),
        *_control_columns(verification, decimals),
        Column("verdict", _verdict, text=True, csv="verdict"),
        Column(None, lambda cell: "; ".join(cell.reasons), csv="reasons"),
    ]
    return ResultTable(columns, verification.cells, section=attrgetter("run"), look="airy")


def _control_columns(verification: Verification, decimals: Mapping[str, int]) -> Iterator[Column]:
    """A column for each control that a run has, of what a number is without the parts that are compared."""
    for control in CONTROLS:
        if any(control in cell.controls for cell in verification.cells):

            def show(cell: Cell, control: str = control) -> TableCell:
                return TableCell(cell.controls.get(control), decimals=decimals[cell.column])

            name = control.replace("-", "_")
            yield Column(f"control: {control}", show, csv=(name, f"{name}_low", f"{name}_high"), absent="")


def _verdict(cell: Cell) -> TableCell:
    return TableCell(cell.verdict, style=_COLOURS[cell.verdict])


def show_verification(verification: Verification, *, complete: bool = False, width: int = 120) -> Group:
    """Render a verification for a terminal of 100 columns or more; a model is named once.

    Args:
        verification: of ``verify``.
        complete: whether models that were not run count as a failure.
        width: columns of the terminal.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> print(show_verification(Verification(load_published("mutual-knowledge-food101"), (), ())).renderables[-1])
    Verified: 0 numbers match, 0 mismatch, 0 not comparable; 0 of 3 models not run.
    """
    table = verification_table(verification)
    columns = [replace(column, once=column.heading == "model") for column in table.columns]
    shown = to_console(replace(table, columns=columns, title=_heading(verification)), width=width)
    verified = verification.verified(complete=complete)
    below = map(Text, [*_reason_lines(verification), *_remarks(verification)])
    outcome = Text(summary(verification, complete=complete), style="bold green" if verified else "bold red")
    return Group(shown, *below, outcome)


def _heading(verification: Verification) -> str:
    table = verification.table
    return f"{table.title}, {table.images:,} images: {table.source}"


def _remarks(verification: Verification) -> list[str]:
    """What is to be known beside the numbers: tolerances, the table's note, what was not run."""
    of_tolerance: dict[float, list[str]] = {}
    for key, column in verification.table.columns.items():
        of_tolerance.setdefault(column.tolerance, []).append(key)
    tolerances = "; ".join(f"{tolerance:g} for {', '.join(keys)}" for tolerance, keys in of_tolerance.items())
    lines = [f"Tolerances: {tolerances}."]
    if verification.table.note:
        lines.append(verification.table.note)
    lines += verification.remarks
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


def verification_markdown(verification: Verification, *, complete: bool = False) -> str:
    """Render a verification as Markdown.

    >>> from mkbench.studies.reproduction.published import load_published
    >>> empty = Verification(load_published("mutual-knowledge-food101"), (), ())
    >>> print(verification_markdown(empty).splitlines()[0])
    # mutual-knowledge-food101
    """
    head = f"# {verification.table.name}\n\n{_heading(verification)}.\n\n{summary(verification, complete=complete)}\n"
    reasons = "\n".join(_reason_lines(verification)).replace(":\n", ":\n\n", 1)
    notes = [block for block in (reasons, *_remarks(verification)) if block]
    return f"{head}\n{to_markdown(replace(verification_table(verification), notes=notes))}"


_FIELDS = ("model", "run", "column", "published", "measured", "low", "high", "difference", "tolerance", "verdict")


def _record(cell: Cell) -> dict[str, Any]:
    low, high = (cell.measured.interval if cell.measured else None) or (None, None)
    values = {"measured": cell.measured.value if cell.measured else None, "low": low, "high": high}
    controls = {control: estimate.value for control, estimate in cell.controls.items()}
    record = {name: values[name] if name in values else getattr(cell, name) for name in _FIELDS}
    return record | ({"controls": controls} if controls else {})


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
        "remarks": list(verification.remarks),
        "not_run": list(verification.not_run),
        "not_measured": [list(missing) for missing in verification.not_measured],
    }
