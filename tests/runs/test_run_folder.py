import json

import pytest

from mkbench.errors import DataError
from mkbench.runs.run_folder import clear_run, read_object, write_json, write_text_atomically


def test_json_keeps_its_order_and_refuses_what_is_no_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": 1,\n  "a": 2\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1, "a": 2}


def test_text_makes_its_folders(tmp_path):
    write_text_atomically(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()


@pytest.mark.parametrize(("text", "message"), [("{", "Expected JSON in"), ("[1]", "Expected a JSON object in .*list")])
def test_damaged_json_is_named(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_object(tmp_path / "a.json")


def test_clearing_leaves_what_is_not_of_a_run(tmp_path):
    names = ("notes.txt", "results.json", "heads.json", "groups/00000-000.parquet", "groups/.00000-000.parquet.9")
    for name in names:
        write_text_atomically(tmp_path / name, "")
    clear_run(tmp_path, finished=False)
    assert [name for name in names if (tmp_path / name).exists()] == [names[0], names[3]]
    clear_run(tmp_path, finished=True)
    assert [name for name in names if (tmp_path / name).exists()] == ["notes.txt"]
