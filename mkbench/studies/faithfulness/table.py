"""The second table, of faithfulness and truth, for the console, Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, bound_cells, explainer_label
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.faithfulness.study import (
    CSV_METRICS,
    MARKS,
    Column,
    Row,
    faithfulness_rows,
    notes,
    shown_columns,
)
from mkbench.studies.mutual_knowledge.table import escape_latex, latex_cell, markdown_table, model_cell, show_estimate
from mkbench.tables.fitting import fits

_STEM = "faithfulness"  # of the files
_LEFT = ("model", "parts")  # aligned left; numbers are aligned right


def _headings(columns: Sequence[Column]) -> list[str]:
    return [*_LEFT, *(column.heading for column in columns)]


def _cells(rows: Sequence[Row], columns: Sequence[Column], separator: str = " ") -> list[list[str]]:
    """The printed cells; the separator stands before intervals and remarks."""
    return [
        [model_cell(row, separator), explainer_label(row["explainer"])]
        + [_estimate_cell(row, column, separator) for column in columns]
        for row in rows
    ]


def _estimate_cell(row: Row, column: Column, separator: str) -> str:
    estimate: Estimate | None = row["estimates"].get(column.metric)
    shown = show_estimate(estimate and estimate.scaled(column.scale), column.decimals, separator)
    marks = "".join(MARKS[control][0] for control in column.controls_missed(row))
    value, bracket, interval = shown.partition(f"{separator}[")
    return f"{value}{marks}{bracket}{interval}"


def faithfulness_console(rows: Sequence[Row], *, width: int = 120) -> Group:
    """Render the rows for a terminal, intervals below their values.

    A narrow terminal gets the removal curves in a table of their own, then a third table; a still narrower one no
    intervals, in as few tables as it can hold.

    Args:
        rows: from ``faithfulness_rows``.
        width: columns of the terminal.

    >>> len(faithfulness_console([{"model": "vit", "explainer": "pca", "estimates": {}}]).renderables)
    1
    """
    columns = shown_columns(rows)
    removal = [column for column in columns if column.mean is not None]
    others = [column for column in columns if column.mean is None]
    two, three = [removal, others], [removal, others[:4], others[4:]]
    layouts = (([columns], True), (two, True), (three, True), (two, False), (three, False))
    tables: list[Table] = []
    for blocks, intervals in layouts:
        tables = [_console_table(rows, block, intervals=intervals) for block in blocks if block]
        if fits(tables, width):
            break
    return Group(*tables, Text("\n".join(notes(rows))))


def _console_table(rows: Sequence[Row], columns: Sequence[Column], *, intervals: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    for heading in _headings(columns):
        # Text objects are shown as they are; a plain string would be read as markup.
        name = Text(heading.replace(" ", "\n", 1))
        table.add_column(name, justify="left" if heading in _LEFT else "right", overflow="fold")
    cells = _cells(rows, columns, separator="\n")
    for index, row in enumerate(cells):
        texts = row if intervals else [cell.partition("\n[")[0] for cell in row]
        last = index + 1 == len(cells) or cells[index + 1][0] != row[0]
        table.add_row(*map(Text, texts), end_section=last)
    return table


def faithfulness_markdown(rows: Sequence[Row]) -> str:
    """Render the rows as a Markdown table with caption and footnotes.

    >>> print(faithfulness_markdown([]).splitlines()[0])
    | model | parts |
    """
    columns = shown_columns(rows)
    table = markdown_table(_headings(columns), _cells(rows, columns), left=_LEFT)
    return "\n".join([table, *(f"{note}\n" for note in notes(rows))])


def faithfulness_csv(rows: Sequence[Row]) -> str:
    """Render the rows for programs: full precision, bounds and controls in columns of their own, absent values empty.

    >>> faithfulness_csv([]).startswith("model,random_weights,explainer,deletion,deletion_low,deletion_high,")
    True
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    parts = ("", "_low", "_high", "_not_separated_from")
    writer.writerow(
        ["model", "random_weights", "explainer", *(f"{metric}{part}" for metric in CSV_METRICS for part in parts)]
    )
    for row in rows:
        line = [row["model"], str(row["random_weights"]).lower(), row["explainer"]]
        for metric in CSV_METRICS:
            estimate: Estimate | None = row["estimates"].get(metric)
            line += bound_cells(estimate)
            line.append(" ".join(row["not_separated"].get(metric, [])))
        writer.writerow(line)
    return out.getvalue()


def faithfulness_latex(rows: Sequence[Row]) -> str:
    r"""Render the rows as a LaTeX ``tabular`` for the package ``booktabs``; caption and footnotes are comments.

    >>> print(faithfulness_latex([]).splitlines()[1])
    \begin{tabular}{ll}
    """
    columns = shown_columns(rows)
    headings = _headings(columns)
    head = [f"% {line}" for line in notes(rows)]
    head += [rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", r"\toprule", _join(map(escape_latex, headings))]
    body = [_join(map(latex_cell, cells)) for cells in _cells(rows, columns)]
    return "\n".join([*head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def _join(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def write_faithfulness(runs: Sequence[Run], folder: str | Path, *, width: int = 120) -> Group | None:
    """Write the table of faithfulness and truth, and return it for the console; nothing if no run measured any.

    Writes ``faithfulness.csv``, ``faithfulness.md`` and ``faithfulness.tex``; those of an earlier table are removed.

    Args:
        runs: finished runs.
        folder: where to write; made where it is missing.
        width: columns of the terminal.

    Example:
        >>> results = {"model": {"name": "a", "random_weights": False}, "metrics": []}
        >>> write_faithfulness([Run(Path("a"), "a", results, {})], "an empty folder") is None
        True
    """
    rows = faithfulness_rows([run.labelled() for run in runs])
    target = Path(folder)
    for kind in ("csv", "md", "tex"):
        (target / f"{_STEM}.{kind}").unlink(missing_ok=True)
    if not rows:
        return None
    write_text_atomically(target / f"{_STEM}.csv", faithfulness_csv(rows))
    write_text_atomically(target / f"{_STEM}.md", faithfulness_markdown(rows))
    write_text_atomically(target / f"{_STEM}.tex", faithfulness_latex(rows))
    return faithfulness_console(rows, width=width)
