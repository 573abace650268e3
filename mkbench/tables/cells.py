"""Table cells: a value with its marks and remark, and the text it is printed as."""

from typing import NamedTuple, TypeAlias

from mkbench.runs.results import ABSENT, Estimate

#: What a cell holds. None is an absent value, never a zero.
Value: TypeAlias = Estimate | float | int | str | None


class Cell(NamedTuple):
    """Table cell: a value with marks, a remark and a style.

    Attributes:
        value: an estimate, a number or a text; None where there is none.
        marks: directly behind the value, such as a dagger.
        remark: behind the interval; it is never left out.
        decimals: in place of those of the column.
        style: of the cell on a terminal, such as ``green``.
    """

    value: Value = None
    marks: str = ""
    remark: str = ""
    decimals: int | None = None
    style: str = ""


class PrintedCell(NamedTuple):
    """The text of a cell, in the pieces that a layout may put below each other.

    Attributes:
        text: the value.
        marks: directly behind it.
        interval: in brackets; empty where there is none.
        remark: behind the interval.
        is_number: whether the text is a number.
        style: of the cell on a terminal.
    """

    text: str
    marks: str = ""
    interval: str = ""
    remark: str = ""
    is_number: bool = False
    style: str = ""

    def join(self, separator: str = " ", *, intervals: bool = True) -> str:
        r"""Return the whole text.

        Args:
            separator: between value, interval and remark.
            intervals: whether the interval is part of it.

        >>> cell = PrintedCell("0.5", "†", "[0.4, 0.6]", "holds 0")
        >>> cell.join(), cell.join("\n", intervals=False)
        ('0.5† [0.4, 0.6] holds 0', '0.5†\nholds 0')
        """
        pieces = [self.text + self.marks, self.interval if intervals else "", self.remark]
        return separator.join(filter(None, pieces))


def as_cell(value: Cell | Value) -> Cell:
    """Return a cell of a bare value; a cell stays what it is.

    >>> as_cell(0.5)
    Cell(value=0.5, marks='', remark='', decimals=None, style='')
    """
    return value if isinstance(value, Cell) else Cell(value)


def fixed(number: float, decimals: int | None, *, signed: bool = False) -> str:
    """Write a number with a fixed count of decimals, never as minus zero.

    Args:
        number: to write.
        decimals: how many; None writes the number as it is, such as a count.
        signed: whether a plus stands before what is not negative.

    >>> fixed(-0.001, 2), fixed(-0.25, 1), fixed(0.25, 1, signed=True), fixed(12, None)
    ('0.00', '-0.2', '+0.2', '12')
    """
    sign = "+" if signed else "-"
    return f"{number:{sign}}" if decimals is None else f"{round(number, decimals) + 0.0:{sign}.{decimals}f}"


def show_estimate(estimate: Estimate | None, decimals: int) -> str:
    """Write a value with its interval; only the value where there is none, a dash where there is neither.

    >>> show_estimate(Estimate(7.123, (6.9, 7.3)), 2), show_estimate(Estimate(7.123), 2), show_estimate(None, 2)
    ('7.12 [6.90, 7.30]', '7.12', '–')
    """
    if estimate is None:
        return ABSENT
    return " ".join(filter(None, (fixed(estimate.value, decimals), show_interval(estimate, decimals))))


def show_interval(estimate: Estimate, decimals: int | None) -> str:
    """Write an interval in brackets; nothing where there is none.

    >>> show_interval(Estimate(7.123, (6.9, 7.3)), 1), show_interval(Estimate(7.123), 1)
    ('[6.9, 7.3]', '')
    """
    return f"[{', '.join(fixed(bound, decimals) for bound in estimate.interval)}]" if estimate.interval else ""


def one_line(text: str) -> str:
    r"""Return a text on one line, for formats in which a line break would end a row or a comment.

    >>> one_line("chance\nAUC")
    'chance AUC'
    """
    return " ".join(text.splitlines())
