"""Tables that are as wide as the terminal allows."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 10_000  # columns


def fits(tables: Sequence[Table], width: int) -> bool:
    """Tell whether all of several tables can be shown whole.

    Args:
        tables: the tables.
        width: columns of the terminal.

    >>> fits([Table("a heading")], 20), fits([Table("a heading")], 5)
    (True, False)
    """
    return all(Console(width=_UNBOUNDED).measure(table).maximum <= width for table in tables)


def first_fitting(tables: Iterable[Table], width: int) -> Table:
    """Return the first of several layouts of a table that can be shown whole; the last one if none can.

    Args:
        tables: at least one layout, the fullest first; no more are drawn than need be.
        width: columns of the terminal.

    >>> [column.header for column in first_fitting((Table(name) for name in ("a heading", "b", "c")), 5).columns]
    ['b']
    >>> [column.header for column in first_fitting([Table("a heading"), Table("too wide")], 5).columns]
    ['too wide']
    """
    table = Table()
    for table in tables:
        if fits([table], width):
            break
    return table


def block_table(
    headers: Sequence[str], blocks: Iterable[Sequence[Sequence[str]]], *, left: Sequence[str], notes: Sequence[str]
) -> Table:
    """Return a table whose rows stand in blocks, such as all rows of a model.

    Args:
        headers: headings of the columns.
        blocks: rows of each block, as many cells in each as there are headings.
        left: headings of columns of text, which may be folded; numbers stand to the right and stay whole.
        notes: lines below the table.

    >>> block_table(["model", "top-1"], [[["a", "0.5"]]], left=("model",), notes=()).row_count
    1
    """
    table = Table(box=box.SIMPLE_HEAD, caption=Text("\n".join(notes)), caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    for header in headers:
        text = header in left
        # Text objects are shown as they are; a plain string would be read as markup.
        table.add_column(Text(header), justify="left" if text else "right", no_wrap=not text, overflow="fold")
    for block in blocks:
        for number, line in enumerate(block, start=1):
            table.add_row(*map(Text, line), end_section=number == len(block))
    return table
