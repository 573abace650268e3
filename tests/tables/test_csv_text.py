from __future__ import annotations

import csv
import io

import pytest

from mkbench.runs.results import Estimate
from mkbench.tables import Cell, Column, ResultTable, csv_bounds, to_csv

NAME = Column("model", "name", text=True, csv="model")


def read(table: ResultTable) -> list[list[str]]:
    return list(csv.reader(io.StringIO(to_csv(table))))


def test_values_are_unscaled_and_in_full_precision() -> None:
    column = Column("top-1 %", "top1", decimals=1, scale=100, csv=csv_bounds("top1"))
    rows = [{"top1": Cell(Estimate(1 / 3, (0.1, 0.7)), marks="†")}, {"top1": Estimate(0.5)}, {"top1": None}]
    header, *lines = read(ResultTable([column], rows))
    assert header == ["top1", "top1_low", "top1_high"]
    assert [float(cell) for cell in lines[0]] == [1 / 3, 0.1, 0.7]
    assert lines[1:] == [["0.5", "", ""], ["", "", ""]]


def test_an_estimate_in_a_single_column_is_its_value() -> None:
    assert read(ResultTable([Column("a", "a", csv="a")], [{"a": Estimate(0.5, (0, 1))}])) == [["a"], ["0.5"]]


def test_columns_without_a_name_are_left_out() -> None:
    table = ResultTable([Column("a", "a"), Column(None, "b", csv="b")], [{"a": 1, "b": True}, {"a": 2, "b": False}])
    assert to_csv(table) == "b\ntrue\nfalse\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n"])
def test_a_text_is_never_a_formula(start: str) -> None:
    assert read(ResultTable([NAME], [{"name": f"{start}1+1"}]))[1] == [f"'{start}1+1"]


def test_negative_numbers_stay_numbers() -> None:
    column = Column("a", "a", csv=csv_bounds("a"))
    assert read(ResultTable([column], [{"a": Estimate(-0.5, (-1.0, 0.0))}]))[1] == ["-0.5", "-1.0", "0.0"]


def test_texts_keep_signs_of_the_format() -> None:
    assert read(ResultTable([NAME], [{"name": 'a, "b"\nc'}]))[1] == ['a, "b"\nc']
    assert read(ResultTable([NAME], [{"name": "a\rb\r\nc"}, {"name": "\r=d"}]))[1:] == [["a\nb\nc"], ["'\n=d"]]


def test_sections_and_single_printing_are_for_print() -> None:
    column = Column("model", "name", once=True, csv="model")
    table = ResultTable([column], [{"name": "a"}, {"name": "a"}], section=lambda row: row["name"])
    assert to_csv(table) == "model\na\na\n"


def test_no_rows() -> None:
    assert to_csv(ResultTable([NAME], [])) == "model\n"
