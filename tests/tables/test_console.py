from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mkbench.runs.results import Estimate
from mkbench.tables import BELOW, BESIDE, NO_INTERVALS, Cell, Column, Layout, ResultTable, to_console

COLUMNS = [
    Column("model", "model", text=True),
    Column("first metric", "first", decimals=2, higher_is_better=True, console_heading="first\nmetric ↑"),
    Column("size", "size", wide_only=True),
    Column("second", "second", decimals=2),
]
ROWS = [
    {"model": "a", "first": Cell(Estimate(0.5, (0.25, 0.75)), "†"), "size": 12, "second": Estimate(1, (0, 2))},
    {"model": "a", "first": None, "size": 3, "second": Estimate(2)},
    {"model": "[red]b", "first": Estimate(-0.5, (-1, 0)), "size": None, "second": None},
]
TABLE = ResultTable(COLUMNS, ROWS, notes=["a note"], section=lambda row: row["model"])


def show(table: ResultTable, width: int, **options: Any) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None, **options)
    console.print(to_console(table, width=width))
    lines: list[str] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines), default=0) <= width
    return [line.rstrip() for line in lines]


def test_a_table_is_drawn_in_sections_with_its_notes() -> None:
    assert show(TABLE, 80) == [
        "",
        "                       first",
        " model              metric ↑  size             second",
        " ────────────────────────────────────────────────────",
        " a        0.50† [0.25, 0.75]    12  1.00 [0.00, 2.00]",
        " a                         –     3               2.00",
        "",
        " [red]b  -0.50 [-1.00, 0.00]     –                  –",
        "",
        "a note",
    ]


@pytest.mark.parametrize(
    ("width", "line", "intervals", "size"),
    [
        (54, "a 0.50† [0.25, 0.75] 12 1.00 [0.00, 2.00]", True, True),
        (53, "a 0.50† 12 1.00", True, True),
        (43, "a 0.50† 12 1.00", True, True),
        (42, "a 0.50† 12 1.00", False, True),
        (32, "a 0.50† 12 1.00", False, True),
        (31, "a 0.50† 1.00", False, False),
        (26, "a 0.50† 1.00", False, False),
    ],
)
def test_the_fullest_layout_that_fits_is_drawn(width: int, line: str, intervals: bool, size: bool) -> None:
    layouts = (BESIDE, BELOW, NO_INTERVALS, Layout("none", narrow=True))
    lines = [" ".join(each.split()) for each in show(replace(TABLE, layouts=layouts), width)]
    assert line in lines
    assert any("[0.25, 0.75]" in each for each in lines) == intervals
    assert any("size" in each for each in lines) == size


def test_no_digit_is_lost_where_no_layout_fits() -> None:
    text = "".join("".join(show(TABLE, 24)).split())
    assert "…" not in text
    # Cells are folded, so that their characters stand below each other.
    assert sum(text.count(digit) for digit in "0123456789") == sum(
        "".join(show(TABLE, 80)).count(digit) for digit in "0123456789"
    )


def test_whole_columns_are_folded_last_and_show_where_they_are_cut() -> None:
    columns = [Column("model", "model", text=True), Column("n", "n", whole=True)]
    table = ResultTable(columns, [{"model": "a long name", "n": 12345678}])
    assert any(line.endswith(" 12345678") for line in show(table, 16))
    assert any("…" in line for line in show(table, 7))


def test_parts_repeat_the_columns_of_text() -> None:
    parts = (["first metric ↑"], [], ["size", "second"])
    lines = [" ".join(line.split()) for line in show(replace(TABLE, layouts=[Layout("none", parts)]), 80)]
    assert [line for line in lines if line.startswith("model")] == ["model metric ↑", "model size second"]
    assert "a 0.50†" in lines
    assert "a 12 1.00" in lines


def test_notes_are_as_wide_as_the_table_or_the_terminal() -> None:
    note = "a note that is longer than the table"
    table = ResultTable([Column("model", "model", text=True)], [{"model": "a name"}], notes=[note])
    assert note not in show(table, 80)
    assert note in show(replace(table, notes_width="terminal"), 80)


@pytest.mark.parametrize(
    ("layout", "short", "shown"),
    [
        (BELOW, ["short"], "long"),
        (NO_INTERVALS, ["short"], "short"),
        (NO_INTERVALS, None, "long"),
        (NO_INTERVALS, [], None),
    ],
)
@pytest.mark.parametrize("notes_width", ["table", "terminal"])
def test_other_notes_where_intervals_are_left_out(
    layout: Layout, short: list[str] | None, shown: str | None, notes_width: Any
) -> None:
    table = replace(TABLE, notes=["long"], short_notes=short, layouts=[layout], notes_width=notes_width)
    assert [line for line in show(table, 80) if line in {"long", "short"}] == ([shown] if shown else [])


def test_a_title_stands_above() -> None:
    assert show(replace(TABLE, title="[b]Title"), 80)[0] == "[b]Title"


def test_looks() -> None:
    columns = [Column("a", "a", text=True), Column("b", "b", text=True)]
    table = ResultTable(columns, [{"a": "x", "b": "y"}])
    assert show(replace(table, look="bare"), 20) == ["x y"]
    assert show(replace(table, look="framed"), 20)[0] == "┏━━━┳━━━┓"


def test_cells_have_styles() -> None:
    table = ResultTable([Column("a", "a", text=True)], [{"a": Cell("good", style="green")}])
    console = Console(file=io.StringIO(), color_system="standard", force_terminal=True, width=20)
    console.print(to_console(table, width=20))
    assert "\x1b[32mgood" in console.file.getvalue()  # type: ignore[attr-defined]


def test_no_rows_and_no_columns() -> None:
    assert "model" in " ".join(show(ResultTable(COLUMNS, []), 80))
    assert "".join(show(ResultTable([], []), 80)).strip() == ""
