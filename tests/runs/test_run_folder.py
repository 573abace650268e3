import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkbench.errors import DataError, UsageError
from mkbench.runs.run_folder import (
    ROW_SCHEMA,
    SCHEMA_VERSION,
    GroupRecord,
    finished_groups,
    read_columns,
    read_group,
    read_groups,
    read_results,
    write_group,
    write_json,
    write_text_atomically,
)


def make_record(key="00003-000", curve=(2.0, 0.0)):
    row = {
        "sample_id": "owl/1.png",
        "class_index": 3,
        "class_name": "owl",
        "explainer": "pca",
        "predicted_index": 5,
        "top1": False,
        "top5": True,
        "num_parts": 2,
        "descriptor_ids": [8],
        "importance": [0.75],
        "part_descriptor_ids": [8, 8],
        "hits": [True],
        "curve": list(curve),
        "chance_curve": [0.5, 0.0],
        "concept_entropy": 0.25,
    }
    table = pa.Table.from_pylist([row], schema=ROW_SCHEMA)
    return GroupRecord(key, table, {"pca": {"no_foreground": 2}}, ("owl/2.png: truncated",))


def test_group_survives_the_disk(tmp_path):
    record = make_record()
    path = write_group(tmp_path, record)
    assert path == tmp_path / "groups" / "00003-000.parquet"
    found = read_group(path)
    assert found.rows.equals(record.rows)
    assert (found.key, found.fallbacks, found.unreadable) == (record.key, record.fallbacks, record.unreadable)


def test_rows_are_plain_parquet_for_other_tools(tmp_path):
    rows = pq.read_table(write_group(tmp_path, make_record())).to_pylist()
    assert rows[0]["descriptor_ids"] == [8]
    assert rows[0]["curve"] == [2.0, 0.0]


def test_same_group_is_the_same_bytes(tmp_path):
    one, two = (write_group(tmp_path / name, make_record()).read_bytes() for name in ("a", "b"))
    assert one == two


def test_group_without_rows(tmp_path):
    record = GroupRecord("00000-000", ROW_SCHEMA.empty_table(), {}, ("a: truncated",))
    assert read_group(write_group(tmp_path, record)).rows.num_rows == 0


def test_writing_leaves_no_temporary_file(tmp_path):
    write_group(tmp_path, make_record())
    write_json(tmp_path / "results.json", {"a": 1})
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["00003-000.parquet", "results.json"]


def test_failed_write_leaves_the_earlier_group(tmp_path, monkeypatch):
    path = write_group(tmp_path, make_record())
    before = path.read_bytes()

    def break_off(table, target):
        target.write_bytes(b"PAR1 half a fi")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", break_off)
    with pytest.raises(OSError, match="disk full"):
        write_group(tmp_path, make_record(curve=(9.0, 0.0)))
    assert path.read_bytes() == before
    assert finished_groups(tmp_path) == ["00003-000"]  # what broke off is no group


def test_finished_groups_are_sorted(tmp_path):
    for key in ("00010-000", "00002-001", "00002-000"):
        write_group(tmp_path, make_record(key))
    assert finished_groups(tmp_path) == ["00002-000", "00002-001", "00010-000"]


def test_no_folder_has_no_finished_groups(tmp_path):
    assert finished_groups(tmp_path / "none") == []


def test_groups_come_in_the_order_asked_for(tmp_path):
    for key in ("00001-000", "00002-000"):
        write_group(tmp_path, make_record(key))
    assert [record.key for record in read_groups(tmp_path, ["00002-000", "00001-000"])] == ["00002-000", "00001-000"]


@pytest.mark.parametrize("damage", ["truncate", "foreign", "remove"])
def test_damaged_group_is_named(tmp_path, damage):
    path = write_group(tmp_path, make_record())
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "foreign":
        pq.write_table(pa.table({"a": [1]}), path)
    else:
        path.unlink()
    with pytest.raises(
        DataError, match=r"00003-000.parquet, found a damaged one .*; run the same command again, which computes it"
    ):
        read_group(path)


def test_json_keeps_its_order_and_refuses_what_is_no_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": 1,\n  "a": 2\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1, "a": 2}


def test_text_makes_its_folders(tmp_path):
    write_text_atomically(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()


def test_results_without_environment(tmp_path):
    write_json(tmp_path / "results.json", {"schema_version": SCHEMA_VERSION})
    assert read_results(tmp_path) == ({"schema_version": SCHEMA_VERSION}, {})
    write_json(tmp_path / "environment.json", {"seconds": 2.5})
    assert read_results(tmp_path)[1] == {"seconds": 2.5}


def test_unfinished_run_has_no_results(tmp_path):
    with pytest.raises(UsageError, match=r"a finished run with results.json, found none at .*; name a model's folder"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expected JSON in"),
        ("[1]", "Expected a JSON object in .*, found list"),
        ('{"schema_version": 0}', "schema version 1, found 0; run the benchmark again"),
        ("{}", "schema version 1, found None"),
    ],
)
def test_damaged_results_are_named(tmp_path, text, message):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path)


def test_some_columns_of_all_groups(tmp_path):
    for key in ("00004-000", "00003-001"):
        write_group(tmp_path, make_record(key, curve=[float(key[4]), 0.0]))
    table = read_columns(tmp_path, ["curve", "sample_id"])
    assert table.to_pydict() == {"curve": [[3.0, 0.0], [4.0, 0.0]], "sample_id": ["owl/1.png"] * 2}  # group by group
    assert read_columns(tmp_path / "nowhere", ["top1"]).num_rows == 0


@pytest.mark.parametrize("damage", ["truncate", "foreign"])
def test_columns_of_a_damaged_group(tmp_path, damage):
    path = write_group(tmp_path, make_record())
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(DataError, match=r"00003-000\.parquet, found a damaged one"):
        read_columns(tmp_path, ["curve"])
