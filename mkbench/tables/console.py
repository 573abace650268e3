"""Tables on a terminal, as full as its width allows."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from mkbench.tables.cells import PrintedCell
from mkbench.tables.result_table import Column, Layout, ResultTable

_UNBOUNDED = 10_000  # columns
_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "dense": {"box": box.SIMPLE_HEAD, "collapse_padding": True, "pad_edge": False},
    "airy": {"box": box.SIMPLE_HEAD, "pad_edge": False},
    "framed": {"box": box.HEAVY_HEAD},
    "bare": {"box": None, "collapse_padding": True, "pad_edge": False, "show_header": False, "show_edge": False},
}


def to_console(table: ResultTable, *, width: int = 120) -> Group:
    """Render a table for a terminal: the first of its layouts that can be shown whole, or the last one.

    Args:
        table: the table.
        width: columns of the terminal.

    >>> table = ResultTable([Column("model", "name", text=True), Column("n", "n")], [{"name": "[red]a", "n": 3}])
    >>> console = Console(width=20)
    >>> with console.capture() as shown:
    ...     console.print(to_console(table))
    >>> shown.get().split()
    ['model', 'n', '─────────', '[red]a', '3']
    """
    drawn: list[Table] = []
    layout = Layout()
    for layout in table.layouts:
        drawn = [_draw(table, columns, layout) for columns in _parts(table, layout)]
        if _fit(drawn, width):
            break
    notes = Text("\n".join(_notes(table, layout)))
    return Group(*drawn, *([notes] if notes and table.notes_width == "terminal" else []))


def _fit(tables: Sequence[Table], width: int) -> bool:
    return all(Console(width=_UNBOUNDED).measure(table).maximum <= width for table in tables)


def _notes(table: ResultTable, layout: Layout) -> Sequence[str]:
    short = layout.intervals == "none" and table.short_notes is not None
    return (table.short_notes or ()) if short else table.notes


def _parts(table: ResultTable, layout: Layout) -> list[list[Column]]:
    """The columns of each table that a layout draws; a part of which no column is left is none."""
    columns = [column for column in table.shown if not (layout.narrow and column.wide_only)]
    if not layout.parts:
        return [columns]
    numbers = [[column for column in columns if column.title in part] for part in layout.parts]
    return [[column for column in columns if column.text or column in own] for own in numbers if own]


def _draw(table: ResultTable, columns: Sequence[Column], layout: Layout) -> Table:
    # Text objects are shown as they are; a plain string would be read as markup.
    drawn = Table(title=Text(table.title), title_justify="left", caption_justify="left", **_LOOKS[table.look])
    if table.notes_width == "table":
        drawn.caption = Text("\n".join(_notes(table, layout)))
    for column in columns:
        heading = Text(column.title if column.console_heading is None else column.console_heading)
        # Where even that is too wide, an ellipsis shows that a whole cell was cut: half a number looks like another.
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if column.whole else "fold"
        justify: Literal["left", "right"] = "left" if column.text else "right"
        drawn.add_column(heading, justify=justify, no_wrap=column.whole, overflow=overflow)
    for section in table.printed(columns):
        for number, cells in enumerate(section, start=1):
            drawn.add_row(*(_text(cell, layout) for cell in cells), end_section=number == len(section))
    return drawn


def _text(cell: PrintedCell, layout: Layout) -> Text:
    separator = " " if layout.intervals == "beside" else "\n"
    return Text(cell.join(separator, intervals=layout.intervals != "none"), style=cell.style)
