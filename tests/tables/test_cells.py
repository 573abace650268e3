from __future__ import annotations

import pytest

from mkbench.runs.results import Estimate
from mkbench.tables.cells import Cell, PrintedCell, as_cell, fixed, one_line, show_estimate, show_interval


@pytest.mark.parametrize(
    ("number", "decimals", "signed", "text"),
    [
        (-0.0, 0, False, "0"),
        (-0.0049, 2, False, "0.00"),
        (-0.0049, 2, True, "+0.00"),
        (2.345, 1, True, "+2.3"),
        (-2.345, 1, True, "-2.3"),
        (7, 2, False, "7.00"),
        (7, None, False, "7"),
        (7, None, True, "+7"),
        (0.1, None, False, "0.1"),
    ],
)
def test_numbers(number: float, decimals: int | None, signed: bool, text: str) -> None:
    assert fixed(number, decimals, signed=signed) == text


def test_intervals_are_never_signed_and_may_be_absent() -> None:
    assert show_interval(Estimate(1.0, (-0.001, 2.0)), 2) == "[0.00, 2.00]"
    assert show_interval(Estimate(1.0), 2) == ""
    assert show_estimate(Estimate(1.0, (-0.5, 2.0)), 1) == "1.0 [-0.5, 2.0]"


def test_pieces_of_a_cell_are_left_out_where_they_are_empty() -> None:
    assert PrintedCell("").join() == ""
    assert PrintedCell("", remark="only").join("\n") == "only"
    whole = PrintedCell("1.0", " ✔", "[0.5, 1.5]", "said")
    assert whole.join() == "1.0 ✔ [0.5, 1.5] said"
    assert whole.join("\n", intervals=False) == "1.0 ✔\nsaid"


def test_an_estimate_is_no_cell_although_both_are_tuples() -> None:
    assert as_cell(Estimate(1.0)) == Cell(Estimate(1.0))
    assert as_cell(Cell("a", "†")) == Cell("a", "†")


def test_one_line() -> None:
    assert one_line("a\r\nb\nc") == "a b c"
    assert one_line("") == ""
