from __future__ import annotations

from pathlib import Path

import pytest

from mkbench.tables import Column, ResultTable, to_csv, to_latex, to_markdown, write_table

TABLE = ResultTable([Column("n ↑", "n", csv="n")], [{"n": 3}])


def test_each_file_is_what_its_writer_gives(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "new", "counts", ("csv", "md", "tex"))
    content = {path.name: path.read_bytes().decode("utf-8") for path in (tmp_path / "new").iterdir()}
    assert content == {
        "counts.csv": to_csv(TABLE),
        "counts.md": to_markdown(TABLE),
        "counts.tex": to_latex(TABLE),
    }


def test_unknown_kinds_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_table(TABLE, tmp_path, "counts", ("docx",))
    assert list(tmp_path.iterdir()) == []
