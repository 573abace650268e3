from __future__ import annotations

from mkbench.runs.results import Estimate
from mkbench.tables import Cell, Column, ResultTable, to_html

COLUMNS = [Column("<model>", "model", text=True), Column("AUC", "value", decimals=1, higher_is_better=True)]


def test_whole_text() -> None:
    rows = [{"model": "a", "value": Cell(Estimate(0.5, (0, 1)), "†")}, {"model": "b", "value": None}]
    table = ResultTable(COLUMNS, rows, title="A & B", notes=["x < y"], section=lambda row: row["model"])
    assert to_html(table).splitlines() == [
        "<table>",
        "<caption>A &amp; B</caption>",
        '<thead><tr><th>&lt;model&gt;</th><th class="number">AUC ↑</th></tr></thead>',
        "<tbody>",
        '<tr><td>a</td><td class="number">0.5† [0.0, 1.0]</td></tr>',
        "</tbody>",
        "<tbody>",
        '<tr><td>b</td><td class="number">–</td></tr>',
        "</tbody>",
        "</table>",
        "<p>x &lt; y</p>",
    ]


def test_names_are_no_markup() -> None:
    text = to_html(ResultTable(COLUMNS, [{"model": "<script>alert('x')</script>", "value": 1}]))
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text


def test_no_rows() -> None:
    assert "<tbody>" not in to_html(ResultTable(COLUMNS, []))
