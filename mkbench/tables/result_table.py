"""Result tables: declared columns and rows of data, which each format has one writer for."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple, TypeAlias

from mkbench.runs.results import ABSENT, Estimate
from mkbench.tables.cells import Cell, PrintedCell, Value, as_cell, fixed, show_interval

#: Gives what a row has in a column.
Getter: TypeAlias = Callable[[Any], Cell | Value]
_ARROWS = {True: " ↑", False: " ↓", None: ""}


def csv_bounds(name: str) -> tuple[str, str, str]:
    """Return the CSV columns of an estimate: its value and both ends of its interval.

    >>> csv_bounds("auc")
    ('auc', 'auc_low', 'auc_high')
    """
    return name, f"{name}_low", f"{name}_high"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: in print, without the direction; None for a column of the CSV alone.
        value: key of the rows, or what gives the value or cell of a row.
        decimals: in print; None prints numbers as they are, such as counts.
        scale: factor of numbers in print; 100 for percent. The CSV has them unscaled.
        unit: directly behind numbers in print.
        signed: whether a plus is printed before values that are not negative, such as differences.
        higher_is_better: which way the arrow of the heading points; None for no arrow.
        text: whether it is aligned left, as text, rather than right, as numbers.
        absent: printed where there is no value.
        console_heading: with the direction, where a terminal has another heading, such as one with line breaks.
        wide_only: whether narrow layouts leave it out.
        whole: whether a terminal that is too narrow folds other columns before it.
        once: whether only the first row of a section prints it.
        csv: name of its CSV column, or names of those of an estimate, see ``csv_bounds``; None for print alone.

    >>> column = Column("AUC", "auc", decimals=1, higher_is_better=True)
    >>> column.title, column.print_cell({"auc": Estimate(0.25, (0.1, 0.4))}).join()
    ('AUC ↑', '0.2 [0.1, 0.4]')
    """

    heading: str | None
    value: str | Getter
    _: KW_ONLY
    decimals: int | None = None
    scale: float = 1.0
    unit: str = ""
    signed: bool = False
    higher_is_better: bool | None = None
    text: bool = False
    absent: str = ABSENT
    console_heading: str | None = None
    wide_only: bool = False
    whole: bool = False
    once: bool = False
    csv: str | tuple[str, str, str] | None = None

    @property
    def title(self) -> str:
        """The heading with its direction."""
        return f"{self.heading or ''}{_ARROWS[self.higher_is_better]}"

    def cell(self, row: Any) -> Cell:
        """Return what a row has in the column."""
        return as_cell(row[self.value] if isinstance(self.value, str) else self.value(row))

    def print_cell(self, row: Any) -> PrintedCell:
        """Return what is printed of a row."""
        value, marks, remark, own_decimals, style = self.cell(row)
        if value is None:
            return PrintedCell(self.absent, marks, "", remark, style=style)
        if isinstance(value, str):
            return PrintedCell(value, marks, "", remark, style=style)
        decimals = self.decimals if own_decimals is None else own_decimals
        estimate = value if isinstance(value, Estimate) else Estimate(value)
        estimate = estimate if self.scale == 1 else estimate.scaled(self.scale)  # a count stays whole
        text = fixed(estimate.value, decimals, signed=self.signed) + self.unit
        return PrintedCell(text, marks, show_interval(estimate, decimals), remark, is_number=True, style=style)


class Layout(NamedTuple):
    """A way to draw a table on a terminal.

    Attributes:
        intervals: where those of values stand; ``none`` leaves them out.
        parts: titles of the columns of each of several tables below each other, every one of which has all text
            columns; empty for one table.
        narrow: whether columns that are ``wide_only`` are left out.
    """

    intervals: Literal["beside", "below", "none"] = "beside"
    parts: Sequence[Sequence[str]] = ()
    narrow: bool = False


BESIDE, BELOW, NO_INTERVALS = Layout("beside"), Layout("below"), Layout("none")


@dataclass(frozen=True)
class ResultTable:
    """A table for every format.

    Attributes:
        columns: in their order, of print and of the CSV.
        rows: whatever the columns read, such as mappings.
        title: above the table; empty for none.
        notes: below the table, a line or more each.
        short_notes: in place of the notes where a layout leaves the intervals out; None for the same.
        notes_width: how wide a terminal shows the notes: as the table, or as the terminal.
        section: gives what consecutive rows of a section have in common; None for no sections.
        layouts: of terminals, the fullest first; one shows the first that fits it, or the last.
        look: of terminals: ``dense``; ``airy`` with wider gaps; ``framed``; ``bare``, without headings and lines.

    >>> table = ResultTable([Column("model", "model", text=True)], [{"model": "a"}, {"model": "b"}])
    >>> [[cell.text for cell in line] for section in table.printed(table.shown) for line in section]
    [['a'], ['b']]
    """

    columns: Sequence[Column]
    rows: Sequence[Any]
    _: KW_ONLY
    title: str = ""
    notes: Sequence[str] = ()
    short_notes: Sequence[str] | None = None
    notes_width: Literal["table", "terminal"] = "table"
    section: Callable[[Any], object] | None = None
    layouts: Sequence[Layout] = (BESIDE,)
    look: Literal["dense", "airy", "framed", "bare"] = "dense"

    @property
    def shown(self) -> list[Column]:
        """The printed columns."""
        return [column for column in self.columns if column.heading is not None]

    def sections(self) -> list[list[Any]]:
        """Return the rows of each section; one section where none are declared."""
        if self.section is None:
            return [list(self.rows)] if self.rows else []
        return [list(rows) for _, rows in groupby(self.rows, self.section)]

    def printed(self, columns: Sequence[Column]) -> list[list[list[PrintedCell]]]:
        """Return the printed cells of some columns: section -> row -> cell."""
        return [
            [
                [PrintedCell("") if place and column.once else column.print_cell(row) for column in columns]
                for place, row in enumerate(rows)
            ]
            for rows in self.sections()
        ]
