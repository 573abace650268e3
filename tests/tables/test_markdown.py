from __future__ import annotations

from mkbench.runs.results import Estimate
from mkbench.tables import Cell, Column, ResultTable, to_markdown

COLUMNS = [Column("model", "model", text=True, once=True), Column("a|b", "value", decimals=1, console_heading="a\nb")]


def test_cells_with_everything() -> None:
    rows = [
        {"model": "a", "value": Cell(Estimate(-0.5, (-1, 0)), "†", "holds 0")},
        {"model": "a", "value": None},
    ]
    table = ResultTable(COLUMNS, rows, title="Title", notes=["first\nsecond", "third"])
    assert to_markdown(table) == (
        "Title\n\n"
        "| model | a\\|b |\n| :-- | --: |\n"
        "| a | -0.5† [-1.0, 0.0] holds 0 |\n|  | – |\n"
        "\nfirst\nsecond\n\nthird\n"
    )


def test_a_name_breaks_no_row() -> None:
    lines = to_markdown(ResultTable(COLUMNS, [{"model": "x|y\\|z\nw", "value": 1}])).splitlines()
    assert lines[2:] == ["| x\\|y\\\\\\|z w | 1.0 |"]


def test_no_rows() -> None:
    assert to_markdown(ResultTable(COLUMNS, [])) == "| model | a\\|b |\n| :-- | --: |\n"
