from __future__ import annotations

from typing import Any

import pytest

from mkbench.runs.results import Estimate
from mkbench.tables import Cell, Column, ResultTable, csv_bounds


@pytest.mark.parametrize(
    ("options", "value", "text"),
    [
        ({}, None, "–"),
        ({"absent": ""}, None, ""),
        ({"decimals": 2}, 0, "0.00"),
        ({}, 12, "12"),
        ({"decimals": 1, "scale": 100, "unit": "%"}, 0.125, "12.5%"),
        ({"decimals": 1, "scale": 100}, Estimate(0.5, (0.25, 0.75)), "50.0 [25.0, 75.0]"),
        ({"decimals": 1, "signed": True}, Estimate(0.5, (-0.5, 1.0)), "+0.5 [-0.5, 1.0]"),
        ({"decimals": 1}, Cell(0.5, "†", "said", decimals=3), "0.500† said"),
        ({"decimals": 1}, Cell(None, "†", "said"), "–† said"),
        ({"decimals": 1, "scale": 100, "unit": "%"}, "text", "text"),
    ],
)
def test_printed_values(options: dict[str, Any], value: Any, text: str) -> None:
    assert Column("a", "key", **options).print_cell({"key": value}).join() == text


def test_only_numbers_are_numbers() -> None:
    column = Column("a", "key", decimals=1)
    printed = [column.print_cell({"key": value}).is_number for value in (1, 0.5, Estimate(0.5), "0.5", None)]
    assert printed == [True, True, True, False, False]


def test_titles_point_where_the_metric_does() -> None:
    titles = [Column("AUC", "auc", higher_is_better=better).title for better in (True, False, None)]
    assert titles == ["AUC ↑", "AUC ↓", "AUC"]


def test_getters_read_any_row() -> None:
    assert Column("a", lambda row: row[1]).cell(("x", 3)) == Cell(3)
    assert csv_bounds("a") == ("a", "a_low", "a_high")


def test_columns_of_the_csv_alone_are_not_shown() -> None:
    table = ResultTable([Column(None, "a", csv="a"), Column("", "b")], [])
    assert [column.value for column in table.shown] == ["b"]


def rows(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def test_sections_are_consecutive_rows() -> None:
    table = ResultTable([], rows("a", "a", "b", "a"), section=lambda row: row["name"])
    assert [len(section) for section in table.sections()] == [2, 1, 1]
    assert [len(section) for section in ResultTable([], rows("a", "b")).sections()] == [2]


def test_no_rows_are_no_section() -> None:
    assert ResultTable([], []).sections() == []
    assert ResultTable([], [], section=lambda row: row).printed([]) == []


def test_a_value_is_printed_once_in_each_section() -> None:
    column = Column("model", "name", text=True, once=True)
    table = ResultTable([column], rows("a", "a", "b"), section=lambda row: row["name"])
    assert [cells[0].text for section in table.printed([column]) for cells in section] == ["a", "", "b"]
    undivided = ResultTable([column], rows("a", "a"))
    assert [cells[0].text for section in undivided.printed([column]) for cells in section] == ["a", ""]
