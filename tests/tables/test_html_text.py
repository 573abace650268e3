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
        '<thead><tr><th scope="col">&lt;model&gt;</th><th scope="col" class="number">AUC ↑</th></tr></thead>',
        "<tbody>",
        '<tr><th scope="row">a</th><td class="number">0.5† <span class="interval">[0.0, 1.0]</span></td></tr>',
        "</tbody>",
        "<tbody>",
        '<tr><th scope="row">b</th><td class="number">–</td></tr>',
        "</tbody>",
        "</table>",
        "<p>x &lt; y</p>",
    ]


def test_names_are_no_markup() -> None:
    text = to_html(ResultTable(COLUMNS, [{"model": "<script>alert('x')</script>", "value": 1}]))
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text


def test_every_row_prints_what_a_terminal_prints_once() -> None:
    columns = [Column("model", "model", text=True, once=True), Column("n", "n")]
    rows = [{"model": "a", "n": 1}, {"model": "a", "n": 2}]
    text = to_html(ResultTable(columns, rows, section=lambda row: row["model"]))
    assert text.count('<th scope="row">a</th>') == 2


def test_remark_and_marks_are_escaped() -> None:
    cell = Cell("x", marks="<i>", remark="<b>")
    text = to_html(ResultTable(COLUMNS[:1], [{"model": cell}]))
    assert '<th scope="row">x&lt;i&gt; <span class="remark">&lt;b&gt;</span></th>' in text


def test_no_rows() -> None:
    assert "<tbody>" not in to_html(ResultTable(COLUMNS, []))
