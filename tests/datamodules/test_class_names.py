import json
from pathlib import Path

import pytest

from mkbench.datamodules.class_names import (
    label_positions,
    match_class_names,
    name_list,
    read_class_names,
    require_class_names,
)
from mkbench.errors import DataError, UsageError


def write(folder, content, name="names.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_mapping_keeps_the_order_of_the_file(tmp_path):
    names = read_class_names(write(tmp_path, json.dumps({"n03": "owl", "n01": " bat ", "n02": "eel"})))
    assert list(names.items()) == [("n03", "owl"), ("n01", "bat"), ("n02", "eel")]


def test_list(tmp_path):
    assert read_class_names(write(tmp_path, '["owl", "bat"]')) == ["owl", "bat"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_lines(tmp_path, ending):
    lines = ["\ufeffgreat grey owl", "", " bat "]
    assert read_class_names(write(tmp_path, ending.join(lines), "names.txt")) == ["great grey owl", "bat"]


def test_lines_with_folders(tmp_path):
    names = read_class_names(write(tmp_path, "n02\tgrey owl\nn01 \t bat\n", "names.txt"))
    assert list(names.items()) == [("n02", "grey owl"), ("n01", "bat")]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("3", "a.json", r"list of names or a mapping .*, found a int with something else; correct"),
        ('["owl", 3]', "a.json", "found a list with something else"),
        ('["owl", " "]', "a.json", "none of them empty, found a list"),
        ('{"n01": ["tench", "fish"]}', "a.json", "found a dict with something else"),
        ('{"n01": null}', "a.json", "found a dict with something else"),
        ('{"n01": "owl", "n01": "bat"}', "a.json", r"cannot be read so \('n01' is a key twice\)"),
        (
            '{"n01": "owl"',
            "a.json",
            r"UTF-8 text or JSON in .*a\.json, found a file that cannot be read so \(Expecting",
        ),
        (b"\xe9t\xe9", "a.txt", r"cannot be read so \('utf-8' codec"),
        ("n01\towl\nn01\tbat\n", "a.txt", "'n01' is a key twice"),
        (
            "n01\towl\nn02 bat\nn03\teel",
            "a.txt",
            "2 of 3 lines hold a tab: write folder and name on all lines or on none",
        ),
        ("n01\t\nn02\tbat", "a.txt", "none of them empty"),
    ],
)
def test_wrong_files_are_explained(tmp_path, content, name, message):
    with pytest.raises(DataError, match=message):
        read_class_names(write(tmp_path, content, name))


def test_a_name_may_repeat_as_in_published_lists(tmp_path):
    assert read_class_names(write(tmp_path, "missile\nowl\nmissile\n", "a.txt")) == ["missile", "owl", "missile"]


def test_missing_file_is_wrong_usage(tmp_path):
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(UsageError, match=r"Expected a file of class names at .*, found none; check the path"):
            read_class_names(path)


def test_a_list_names_the_sorted_folders():
    assert match_class_names(["a", "b"], ["x", "y"], Path("n")) == {"a": "x", "b": "y"}


def test_a_mapping_decides_the_order():
    assert list(match_class_names(["a", "b"], {"b": "y", "a": "x"}, Path("n"))) == ["b", "a"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"each of the 2 class folders, found 0 names in names\.json; give as many"),
        (["x"], "found 1 names"),
        (["x", "y", "z"], "found 3 names"),
        ({"a": "x"}, r"exactly the class folders, found 1 folders without a name \(such as 'b'\); correct"),
        ({"a": "x", "b": "y", "c": "z"}, r"found 1 names without a folder \(such as 'c'\); correct"),
        ({"c": "z"}, r"found 2 folders without a name \(such as 'a'\); 1 names without a folder \(such as 'c'\)"),
    ],
)
def test_names_that_do_not_match_the_folders(names, message):
    with pytest.raises(DataError, match=message):
        match_class_names(["a", "b"], names, Path("names.json"))


def test_things_with_names_can_be_called_otherwise():
    with pytest.raises(DataError, match=r"each of the 2 class labels, found 1 names in n; give as many names as lab"):
        match_class_names(["a", "b"], ["x"], Path("n"), kind="label")
    with pytest.raises(DataError, match=r"exactly the class labels, found 1 labels without a name \(such as 'b'\)"):
        match_class_names(["a", "b"], {"a": "x"}, Path("n"), kind="label")


def test_names_that_are_required(tmp_path):
    assert require_class_names(write(tmp_path, "owl\nbat\n", "a.txt")) == ["owl", "bat"]
    with pytest.raises(UsageError, match="Expected a file of class names, found none; give JSON or one name a line"):
        require_class_names(None)
    with pytest.raises(DataError, match=r"at least one class name in .*b\.json, found none; correct the file"):
        require_class_names(write(tmp_path, "[]", "b.json"))


def test_names_in_class_order():
    assert name_list({"n2": "owl", "n1": "bat"}) == name_list(["owl", "bat"]) == ("owl", "bat")


@pytest.mark.parametrize(
    ("names", "positions"),
    [
        (["owl", "bat"], {"0": 0, "1": 1, "owl": 0, "bat": 1}),
        (["owl", "bat", "owl"], {"0": 0, "1": 1, "2": 2, "bat": 1}),  # which owl is meant cannot be told
        ({"n2": "owl", "n1": "owl"}, {"0": 0, "1": 1, "n2": 0, "n1": 1}),
        ({"1": "owl", "2": "bat"}, {"1": 0, "2": 1}),  # numbers of the user's own
        (["0", "1"], {"0": 0, "1": 1}),
    ],
)
def test_labels_of_images(names, positions):
    assert label_positions(names) == positions


@pytest.mark.parametrize("names", [["1", "2", "3"], ["owl", "bat", "0"], ["7", "x"]])
def test_names_that_are_numbers_of_other_classes_are_refused(names):
    with pytest.raises(DataError, match=r"found '\d' as the name of class \d; give --data\.class_names a mapping"):
        label_positions(names)


def test_a_name_may_hold_what_other_systems_take_for_a_newline(tmp_path):
    names = write(tmp_path, "barn\u2028owl\nbat\x0cfruit\nn\x85m\n", "a.txt")
    assert read_class_names(names) == ["barn\u2028owl", "bat\x0cfruit", "n\x85m"]


def test_brackets_without_end_are_a_sentence(tmp_path):
    with pytest.raises(DataError, match="more than 100 brackets within each other"):
        read_class_names(write(tmp_path, "[" * 100_000 + "]" * 100_000, "a.json"))


def test_a_path_may_be_a_text(tmp_path):
    assert read_class_names(str(write(tmp_path, "owl\n", "a.txt"))) == ["owl"]


def test_packaged_names_by_their_name_where_no_file_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = read_class_names("imagenet")
    assert (len(names), names["n01440764"]) == (1000, "tench")
    write(tmp_path, "owl\nbat", name="imagenet")
    assert read_class_names("imagenet") == ["owl", "bat"]
    with pytest.raises(UsageError, match=r"found none; check the path \(packaged names: imagenet\)"):
        read_class_names("imagenets")
