"""A user's own table: its form, and what is wrong with one."""

import copy
import json

import pytest

from mkbench.errors import DataError, UsageError
from mkbench.studies.reproduction.published import FOLDER, load_published, read_table
from mkbench.studies.reproduction.table_form import find_table_fault

DOCUMENT = json.loads((FOLDER / "mutual-knowledge-food101.json").read_text(encoding="utf-8"))


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path
    place = document
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (["rows"], None, "rows, found none"),
        (["data", "classes"], "101", "data.classes to be an integer, found a string"),
        (["columns", "top1", "scale"], None, "columns.top1.scale, found none"),
        (["columns", "top1", "tolerance"], "0.3", "columns.top1.tolerance to be a number, found a string"),
        (["rows", "mine"], {"top1": "x"}, "rows.mine.top1 to be a number, found a string"),
        (["rows", "mine"], {"auk": 1.0}, "the row mine to have no other entries than auc, mi, top1, found auk"),
        (["rows"], {}, "at least one row and one column, found none"),
        (["colums"], {}, "found colums"),
        (["columns", "top1", "weight"], 1, "found weight"),
    ],
)
def test_faults_are_named(path, value, fault):
    assert fault in find_table_fault(changed(path, value))


def test_own_table_is_read(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    table = read_table(path)
    assert table.name == "mine"
    assert table.rows == load_published("mutual-knowledge-food101").rows


def test_damaged_tables_are_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"no readable file \(No such file or directory\); check --against"):
        read_table(tmp_path / "none.json")
    path = tmp_path / "mine.json"
    for text, found in (
        ("{", "found something else"),
        ("[]", "an object, found a list"),
        ("{}", "columns, found none"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=found):
            read_table(path)
