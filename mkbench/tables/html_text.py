"""Tables as HTML."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from mkbench.tables.cells import PrintedCell, one_line
from mkbench.tables.result_table import Column, ResultTable


def to_html(table: ResultTable) -> str:
    """Write a table as a plain HTML ``<table>``, a body for each section, and a paragraph for each note.

    All text is escaped. Headings have a ``scope``, for screen readers; so has the first cell of a row where it is a
    text. Cells of numbers have the class ``number``; the interval and the remark of a cell are a ``<span>`` of the
    class ``interval`` or ``remark``. Every row prints all its cells, since a page may sort them.

    Args:
        table: the table.

    >>> columns = [Column("model", "name", text=True), Column("n", "n")]
    >>> print(to_html(ResultTable(columns, [{"name": "a<b", "n": 3}])), end="")
    <table>
    <thead><tr><th scope="col">model</th><th scope="col" class="number">n</th></tr></thead>
    <tbody>
    <tr><th scope="row">a&lt;b</th><td class="number">3</td></tr>
    </tbody>
    </table>
    """
    columns = [replace(column, once=False) for column in table.shown]
    caption = [f"<caption>{escape(table.title)}</caption>"] if table.title else []
    head = [f"<thead><tr>{''.join(map(_heading, columns))}</tr></thead>"]
    body: list[str] = []
    for section in table.printed(columns):
        body += ["<tbody>", *(_row(columns, cells) for cells in section), "</tbody>"]
    notes = [f"<p>{escape(note)}</p>" for note in table.notes]
    return "\n".join(["<table>", *caption, *head, *body, "</table>", *notes, ""])


def _heading(column: Column) -> str:
    return f'<th scope="col"{_kind(column)}>{escape(one_line(column.title))}</th>'


def _kind(column: Column) -> str:
    return "" if column.text else ' class="number"'


def _row(columns: Sequence[Column], cells: Sequence[PrintedCell]) -> str:
    texts = []
    for place, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        tag, scope = ("th", ' scope="row"') if place == 0 and column.text else ("td", "")
        texts.append(f"<{tag}{scope}{_kind(column)}>{_content(cell)}</{tag}>")
    return f"<tr>{''.join(texts)}</tr>"


def _content(cell: PrintedCell) -> str:
    pieces = {"interval": cell.interval, "remark": cell.remark}
    spans = [f'<span class="{kind}">{escape(one_line(text))}</span>' for kind, text in pieces.items() if text]
    return " ".join([escape(one_line(cell.text + cell.marks)), *spans])
