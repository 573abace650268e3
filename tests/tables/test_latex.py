from __future__ import annotations

import pytest

from mkbench.runs.results import Estimate
from mkbench.tables import Cell, Column, ResultTable, to_latex
from mkbench.tables.latex import escape_latex

COLUMNS = [Column("model", "model", text=True), Column("top-1 %", "value", decimals=1, higher_is_better=True)]


def body(*rows: dict[str, object]) -> list[str]:
    return to_latex(ResultTable(COLUMNS, rows)).splitlines()[4:-2]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-0.5, "$-$0.5"),
        (Cell(Estimate(-0.5, (-1.0, 0.0)), "†‡"), r"$-$0.5$^\dagger$$^\ddagger$ {\scriptsize[$-$1.0, 0.0]}"),
        (Cell(0.5, remark="(a_b)"), r"0.5 (a\_b)"),
        (None, "--"),
        ("a-b", "a-b"),
    ],
)
def test_numbers_have_a_minus_and_small_intervals(value: object, cell: str) -> None:
    assert body({"model": "m", "value": value}) == [rf"m & {cell} \\"]


def test_whole_text() -> None:
    table = ResultTable(COLUMNS, [], title="Title", notes=["one\ntwo"])
    assert to_latex(table).splitlines() == [
        "% Title",
        "% one",
        "% two",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"model & top-1 \% $\uparrow$ \\",
        r"\midrule",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_names_run_no_command_and_end_no_row() -> None:
    assert escape_latex("\\~^<>{") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\{"
    assert escape_latex("[red]|&%$#_}") == r"{[}red{]}\textbar{}\&\%\$\#\_\}"
    assert body({"model": "a\n\\input", "value": 1}) == [r"a \textbackslash{}input & 1.0 \\"]


def test_units_are_escaped() -> None:
    table = ResultTable([Column("share", "share", decimals=0, unit="%")], [{"share": 5.0}])
    assert r"5\% \\" in to_latex(table).splitlines()
