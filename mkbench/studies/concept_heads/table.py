"""Both systems side by side: a row for each model and explainer, for the console, Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import ABSENT, Estimate, bound_cells, explainer_label
from mkbench.studies.concept_heads.choice import CONTROL, HEAD_METRICS
from mkbench.studies.mutual_knowledge.table import (
    Row,
    caption,
    escape_latex,
    latex_cell,
    markdown_table,
    model_cell,
    nat_decimals,
    show_estimate,
)
from mkbench.tables.fitting import fits

_NATS = ("mutual_information", "auc", "chance", "excess")
#: Key of a row -> heading, with the direction of what is better.
HEADINGS = {
    "top1": "top-1 % ↑",
    **dict(zip(_NATS, ("MI ↑", "AUC ↑", "chance AUC", "excess AUC ↑"), strict=True)),
    **dict(zip(HEAD_METRICS, ("entanglement ↓", "association ↑", "CCS ↑", "high CCS", "CCR"), strict=True)),
    **dict(zip(CONTROL, ("carried ↑", "beaten ↑"), strict=True)),
}
#: What differs in the file for programs.
_CSV_NAMES = {"top1": "top1_percent", "chance": "chance_auc", "excess": "excess_auc", "ccs@5": "high_ccs"}
_LEFT = ("model", "parts")  # aligned left; numbers are aligned right
_HEADS_NOTE = (
    "Over heads: entanglement (label shared with an earlier head), association (texts fit the label), CCS (texts out "
    "of five that do), high CCS (all five do), CCR (concepts that several high-CCS heads share, by such heads)."
)
_CARRIED_NOTE = (
    "Over classes: carried (their own mutual concepts project more on the head that carries them most than those of "
    "other classes do on theirs on average), beaten (share of other classes for which that holds; 0.5 by chance)."
)


def _cells(rows: Sequence[Row], keys: Iterable[str] = tuple(HEADINGS), separator: str | None = " ") -> list[list[str]]:
    """The printed cells; the separator stands before intervals, which are left out without one."""
    decimals = {"top1": 1} | dict.fromkeys(_NATS, nat_decimals(rows))
    return [
        [
            model_cell(row, separator or "\n"),
            ABSENT if row["explainer"] is None else explainer_label(row["explainer"]),
            *(_show(row[key], decimals.get(key, 2), separator) for key in keys),
        ]
        for row in rows
    ]


def _show(estimate: Estimate | None, decimals: int, separator: str | None) -> str:
    if estimate is not None and separator is None:
        return show_estimate(Estimate(estimate.value), decimals)
    return show_estimate(estimate, decimals, separator or " ")


def _about(rows: Sequence[Row], notes: Sequence[str], *, intervals: bool = True) -> list[str]:
    return [caption(rows, intervals=intervals), _HEADS_NOTE, _CARRIED_NOTE, *notes]


def concept_heads_console(rows: Sequence[Row], *, notes: Sequence[str] = (), width: int = 120) -> Group:
    """Render both systems side by side for a terminal, intervals below their values.

    A narrow terminal gets a table for each system, a still narrower one no intervals.

    Args:
        rows: from ``concept_head_rows``.
        notes: lines below the caption.
        width: columns of the terminal.

    >>> len(concept_heads_console([]).renderables)
    3
    """
    keys = list(HEADINGS)
    halves = [keys[: 1 + len(_NATS)], keys[1 + len(_NATS) :]]
    tables: list[Table] = []
    intervals = True
    for blocks, intervals in (([keys], True), (halves, True), (halves, False)):
        tables = [_console_table(rows, block, intervals=intervals) for block in blocks]
        if fits(tables, width):
            break
    title = Text("Mutual knowledge and attention heads of the same models", style="italic")
    return Group(title, *tables, Text("\n".join(_about(rows, notes, intervals=intervals))))


def _console_table(rows: Sequence[Row], keys: Sequence[str], *, intervals: bool) -> Table:
    """Draw some columns."""
    table = Table(box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    for heading in (*_LEFT, *(HEADINGS[key] for key in keys)):
        # Text objects are shown as they are; a plain string would be read as markup.
        name = Text(heading.replace(" ", "\n", 1))
        table.add_column(name, justify="left" if heading in _LEFT else "right", overflow="fold")
    cells = _cells(rows, keys, "\n" if intervals else None)
    for index, row in enumerate(cells):
        last = index + 1 == len(cells) or cells[index + 1][0] != row[0]
        table.add_row(*map(Text, row), end_section=last)
    return table


def concept_heads_markdown(rows: Sequence[Row], *, notes: Sequence[str] = ()) -> str:
    """Render both systems side by side as a Markdown table with captions and notes.

    >>> print(concept_heads_markdown([]).splitlines()[0][:42])
    | model | parts | top-1 % ↑ | MI ↑ | AUC ↑
    """
    table = markdown_table([*_LEFT, *HEADINGS.values()], _cells(rows), left=_LEFT)
    return "\n".join([table, *(f"{line}\n" for line in _about(rows, notes))])


def concept_heads_latex(rows: Sequence[Row], *, notes: Sequence[str] = ()) -> str:
    r"""Render both systems side by side as a LaTeX ``tabular`` for ``booktabs``; captions are comments above it.

    >>> print(concept_heads_latex([]).splitlines()[3])
    \begin{tabular}{llrrrrrrrrrrrr}
    """
    lines = [[escape_latex(heading) for heading in (*_LEFT, *HEADINGS.values())]]
    lines += [[latex_cell(cell) for cell in row] for row in _cells(rows)]
    head, *body = [" & ".join(line) + r" \\" for line in lines]
    about = [f"% {line}" for line in _about(rows, notes)]
    begin = [rf"\begin{{tabular}}{{ll{'r' * len(HEADINGS)}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*about, *begin, *body, r"\bottomrule", r"\end{tabular}", ""])


def concept_heads_csv(rows: Sequence[Row]) -> str:
    """Render both systems side by side for programs: full precision, bounds in columns of their own, absent ones empty.

    >>>
    concept_heads_csv([]).startswith("model,random_weights,explainer,estimator,images,head_images,top1_percent,top1_")
    True
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [_CSV_NAMES.get(key, key) for key in HEADINGS]
    about = ["model", "random_weights", "explainer", "estimator", "images", "head_images"]
    writer.writerow([*about, *(f"{name}{bound}" for name in names for bound in ("", "_low", "_high"))])
    for row in rows:
        line: list[Any] = [str(row[key]).lower() if key == "random_weights" else row[key] for key in about]
        for key in HEADINGS:
            estimate: Estimate | None = row[key]
            line += bound_cells(estimate)
        writer.writerow(line)
    return out.getvalue()
