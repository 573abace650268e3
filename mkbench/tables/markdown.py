"""Tables as Markdown."""

import re

from mkbench.tables.cells import one_line
from mkbench.tables.result_table import ResultTable


def to_markdown(table: ResultTable) -> str:
    r"""Write a table as Markdown, its title above and its notes below it.

    Args:
        table: the table.

    >>> from mkbench.tables.result_table import Column
    >>> columns = [Column("model", "name", text=True), Column("n", "n")]
    >>> print(to_markdown(ResultTable(columns, [{"name": "x|y", "n": 3}], notes=["n: images."])), end="")
    | model | n |
    | :-- | --: |
    | x\|y | 3 |
    <BLANKLINE>
    n: images.
    """
    columns = table.shown
    lines = [[_escape(column.title) for column in columns], [":--" if column.text else "--:" for column in columns]]
    lines += [[_escape(cell.join()) for cell in cells] for section in table.printed(columns) for cells in section]
    title = f"{table.title}\n\n" if table.title else ""
    return (
        title + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "".join(f"\n{note}\n" for note in table.notes)
    )


def _escape(text: str) -> str:
    return re.sub(r"[|\\]", r"\\\g<0>", one_line(text))
