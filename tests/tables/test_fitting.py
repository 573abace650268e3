from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from mkbench.tables.fitting import block_table, first_fitting, fits


def test_all_tables_must_fit() -> None:
    assert fits([Table("one"), Table("two")], 10)
    assert not fits([Table("one"), Table("a long heading")], 10)
    assert fits([], 0)


def test_no_more_layouts_are_drawn_than_need_be() -> None:
    drawn = []

    def layouts() -> Iterator[Table]:
        for name in ("a long heading", "short", "never"):
            drawn.append(name)
            yield Table(name)

    assert first_fitting(layouts(), 12).columns[0].header == "short"
    assert drawn == ["a long heading", "short"]


def test_blocks_end_in_a_line_and_brackets_are_no_markup() -> None:
    blocks = [[["a", "[bold]"], ["", "2"]], [["b", "3"]]]
    table = block_table(["model", "[dim]"], blocks, left=("model",), notes=("one", "two"))
    assert [row.end_section for row in table.rows] == [False, True, True]
    assert [column.justify for column in table.columns] == ["left", "right"]
    assert [str(column.header) for column in table.columns] == ["model", "[dim]"]
    assert [str(cell) for cell in table.columns[1].cells] == ["[bold]", "2", "3"]
    assert str(table.caption) == "one\ntwo"
