import pyarrow as pa
import pytest
from group_rows import row, write_rows

from mkbench.errors import DataError, UsageError
from mkbench.runs import tidy_tables
from mkbench.runs.group_files import GroupRecord, read_group, write_group
from mkbench.runs.tidy_tables import TidyTable, sample_rows


def test_pandas_is_asked_for_in_one_sentence(monkeypatch):
    monkeypatch.setattr(tidy_tables, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"Expected pandas for to_pandas\(\), found none; install it, or use to_arrow"):
        TidyTable(pa.table({"a": [1]})).to_pandas()


def test_arrow_makes_the_frame_where_pandas_is_installed(monkeypatch):
    """Without pandas too: only whether it is there is pretended, and Arrow's answer."""

    class Table:
        def to_pandas(self):
            return "a frame"

    monkeypatch.setattr(tidy_tables, "find_spec", {"pandas": "its place"}.get)
    assert TidyTable(Table()).to_pandas() == "a frame"


def test_frame_is_that_of_arrow():
    pandas = pytest.importorskip("pandas")
    frame = TidyTable(pa.table({"a": [1, 2], "b": ["x", None]})).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["a"].tolist() == [1, 2]


def _change_column(folder, name, values):
    (path,) = (folder / "groups").iterdir()
    record = read_group(path)
    write_group(folder, GroupRecord(record.key, record.rows.append_column(name, values)))


def test_columns_of_only_one_run_are_null_in_the_other(tmp_path):
    for name in "ab":
        write_rows(tmp_path / name, [row("x", [1.0])])
    _change_column(tmp_path / "a", "part_iou", pa.array([0.5]))
    table = sample_rows([(tmp_path / "a", "A"), (tmp_path / "b", "B")]).to_arrow()
    assert table["part_iou"].to_pylist() == [0.5, None]


def test_columns_of_two_kinds_are_refused(tmp_path):
    for name, values in (("a", pa.array([0.5])), ("b", pa.array(["high"]))):
        write_rows(tmp_path / name, [row("x", [1.0])])
        _change_column(tmp_path / name, "mine", values)
    with pytest.raises(DataError, match=r"Expected columns of one kind in all runs, .*; read the runs one"):
        sample_rows([(tmp_path / "a", "A"), (tmp_path / "b", "B")])
