import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mkbench.errors import DataError
from mkbench.runs.group_files import (
    ROW_SCHEMA,
    GroupRecord,
    finished_groups,
    has_digest,
    log_group,
    read_columns,
    read_group,
    read_groups,
    write_group,
)
from mkbench.runs.run_folder import write_json


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

    def break_off(table, target, **options):
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


def test_every_flipped_bit_is_noticed(tmp_path):
    record = make_record()
    path = write_group(tmp_path, record)
    log_group(tmp_path, record, images=1)
    assert read_group(path) == record
    whole, draw = path.read_bytes(), random.Random(0)
    for _ in range(300):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        for read in (lambda: read_group(path), lambda: read_columns(tmp_path, ["sample_id"])):
            with pytest.raises(DataError, match="found a damaged one"):
                read()


def test_group_without_a_digest_is_read(tmp_path):
    record = make_record()
    path = write_group(tmp_path, record)
    assert read_group(path) == record
    (tmp_path / "groups.log").write_bytes(b"2026-01-01 00:00:00 UTC  00003-000  1 images\n\xff\n")
    assert read_group(path) == record


def test_log_is_read_once_for_all_groups(tmp_path, monkeypatch):
    records = [make_record(f"{number:05d}-000") for number in range(20)]
    for record in records:
        write_group(tmp_path, record)
        log_group(tmp_path, record, images=1)
    read = []
    read_text = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **options: read.append(path.name) or read_text(path, **options))
    assert read_groups(tmp_path, finished_groups(tmp_path)) == records
    assert read == ["groups.log"]
    log_group(tmp_path, records[0], images=1)  # the log has changed
    assert has_digest(tmp_path, records[0].key)
    assert read == ["groups.log"] * 2


@pytest.mark.parametrize(
    "meta", [b"[]", b"{", b"{}", b'{"fallbacks": {"pca": 3}, "unreadable": []}', b"\xff", b"[" * 9999]
)
def test_damaged_notes_of_a_group_are_refused(meta, tmp_path):
    table = make_record().rows.replace_schema_metadata({b"mkbench": meta})
    (tmp_path / "groups").mkdir()
    pq.write_table(table, tmp_path / "groups" / "a.parquet")
    with pytest.raises(DataError, match="found a damaged one"):
        read_group(tmp_path / "groups" / "a.parquet")
