"""Tables as HTML."""

from collections.abc import Iterable, Sequence
from html import escape

from mkbench.tables.cells import one_line
from mkbench.tables.result_table import Column, ResultTable


def to_html(table: ResultTable) -> str:
    """Write a table as a plain HTML ``<table>``, a body for each section, and a paragraph for each note.

    All text is escaped. Cells of numbers have the class ``number``.

    Args:
        table: the table.

    >>> columns = [Column("model", "name", text=True), Column("n", "n")]
    >>> print(to_html(ResultTable(columns, [{"name": "a<b", "n": 3}])), end="")
    <table>
    <thead><tr><th>model</th><th class="number">n</th></tr></thead>
    <tbody>
    <tr><td>a&lt;b</td><td class="number">3</td></tr>
    </tbody>
    </table>
    """
    columns = table.shown
    caption = [f"<caption>{escape(table.title)}</caption>"] if table.title else []
    head = f"<thead>{_row('th', columns, (column.title for column in columns))}</thead>"
    body: list[str] = []
    for section in table.printed(columns):
        body += ["<tbody>", *(_row("td", columns, (cell.join() for cell in cells)) for cells in section), "</tbody>"]
    notes = [f"<p>{escape(note)}</p>" for note in table.notes]
    return "\n".join(["<table>", *caption, head, *body, "</table>", *notes, ""])


def _row(tag: str, columns: Sequence[Column], texts: Iterable[str]) -> str:
    kinds = ("" if column.text else ' class="number"' for column in columns)
    cells = (f"<{tag}{kind}>{escape(one_line(text))}</{tag}>" for kind, text in zip(kinds, texts, strict=True))
    return f"<tr>{''.join(cells)}</tr>"
