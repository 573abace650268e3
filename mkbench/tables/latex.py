"""Tables as LaTeX."""

import re
from collections.abc import Iterable

from mkbench.runs.results import ABSENT
from mkbench.tables.cells import PrintedCell, one_line
from mkbench.tables.result_table import ResultTable

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"},
    # A bracket at the start of a row would be read as an option of the line break before it.
    **{"[": "{[}", "]": "{]}", "<": r"\textless{}", ">": r"\textgreater{}", "↑": r"$\uparrow$", ABSENT: "--"},
    **{"↓": r"$\downarrow$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "§": r"$^\S$", "¶": r"$^\P$"},
    "‖": r"$^\parallel$",
}


def to_latex(table: ResultTable) -> str:
    r"""Write a table as a LaTeX ``tabular`` for the package ``booktabs``; title and notes are comments above it.

    Args:
        table: the table.

    >>> from mkbench.tables.result_table import Column
    >>> columns = [Column("model", "name", text=True), Column("drop", "drop", decimals=1)]
    >>> print(to_latex(ResultTable(columns, [{"name": "a_b", "drop": -0.5}], notes=["A note."])), end="")
    % A note.
    \begin{tabular}{lr}
    \toprule
    model & drop \\
    \midrule
    a\_b & $-$0.5 \\
    \bottomrule
    \end{tabular}
    """
    columns = table.shown
    about = [f"% {line}" for text in (table.title, *table.notes) for line in text.splitlines()]
    begin = rf"\begin{{tabular}}{{{''.join('l' if column.text else 'r' for column in columns)}}}"
    head = _row(escape_latex(column.title) for column in columns)
    body = [_row(map(_latex_cell, cells)) for section in table.printed(columns) for cells in section]
    return "\n".join([*about, begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def escape_latex(text: str) -> str:
    r"""Escape what LaTeX reads as commands.

    >>> print(escape_latex("a_b & 5 % ↑"))
    a\_b \& 5 \% $\uparrow$
    """
    return re.sub("|".join(map(re.escape, _SIGNS)), lambda match: _SIGNS[match[0]], one_line(text))


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(cell: PrintedCell) -> str:
    """Escape a cell; numbers get a typographic minus, and their intervals a small font."""
    if not cell.is_number:
        return escape_latex(cell.join())
    interval = f"{{\\scriptsize{cell.interval}}}".replace("-", "$-$") if cell.interval else ""
    value = escape_latex(cell.text).replace("-", "$-$") + escape_latex(cell.marks)
    return " ".join(filter(None, (value, interval, escape_latex(cell.remark))))
