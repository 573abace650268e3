import hashlib
import json
from pathlib import Path

import pytest

from mkbench.concepts import load_bank
from mkbench.concepts.bank import bank_entries
from mkbench.errors import DataError, UsageError

IMAGENET = Path(__file__).parents[3] / "shared" / "data" / "text" / "descriptors_imagenet.json"


def write(folder, content, name="bank.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_classes_with_descriptors(tmp_path):
    content = json.dumps({"owl": [" large eyes", "wings", "wings "], "bat": ["wings", "fur"], "eel": []})
    path = write(tmp_path, content)
    bank = load_bank(path)
    assert bank.descriptors == ("large eyes", "wings", "fur")
    assert bank.by_class == {"owl": (0, 1), "bat": (1, 2), "eel": ()}
    assert bank.source == str(path)
    assert bank.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert len(bank) == 3


def test_list_of_strings(tmp_path):
    bank = load_bank(str(write(tmp_path, '["b", "a", "b", ""]')))
    assert bank.descriptors == ("b", "a")
    assert bank.by_class is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_one_per_line(tmp_path, ending):
    path = write(tmp_path, "\ufeff" + ending.join(["grüne Augen", "", " wings ", "wings"]), "bank.txt")
    assert load_bank(path).descriptors == ("grüne Augen", "wings")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"\xff\xfe\x00", "bank.json", "is not UTF-8"),
        (b"\xe9t\xe9", "bank.txt", "is not UTF-8"),
        ('{"owl": [', "bank.json", r"is not valid JSON .*line 1"),
        ("3", "bank.json", "found int"),
        ('{"owl": "wings"}', "bank.json", "Class 'owl' of .* must be a list of strings, found str"),
        ('{"owl": ["wings", 3]}', "bank.json", "must hold only strings, found 3"),
        ('["wings", null]', "bank.json", "must hold only strings, found None"),
        ("{}", "bank.json", "at least 2 different descriptors, found 0"),
        ("", "bank.txt", "at least 2 different descriptors, found 0"),
        ('["wings", "wings"]', "bank.json", "at least 2 different descriptors, found 1"),
    ],
)
def test_wrong_files_are_explained(tmp_path, content, name, message):
    with pytest.raises(DataError, match=message):
        load_bank(write(tmp_path, content, name))


def test_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"Expected a concept bank .* at .*absent\.json"):
        load_bank(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="check the path"):
        load_bank(tmp_path)


@pytest.mark.skipif(not IMAGENET.exists(), reason="needs ../shared/data, which may not be shipped")
def test_imagenet_bank_has_its_published_size():
    bank = load_bank(IMAGENET)
    assert len(bank) == 4229
    assert bank.by_class is not None
    assert len(bank.by_class) == 1000


@pytest.mark.parametrize(
    ("content", "name", "descriptors"),
    [
        ('class,Descriptor\nowl,large eyes\nbat,"wings, of skin"\n', "bank.csv", ("large eyes", "wings, of skin")),
        ("large eyes\nwings\n", "bank.CSV", ("large eyes", "wings")),
        ("large eyes\t1\nwings\t2\n", "bank.tsv", ("large eyes", "wings")),
        ("# of owls\nlarge eyes\n  # of bats\nwings # 2\n", "bank.txt", ("large eyes", "wings # 2")),
        ("large\u2028eyes\nwings\x0cof skin\n", "bank.txt", ("large\u2028eyes", "wings\x0cof skin")),
    ],
)
def test_text_and_tables(tmp_path, content, name, descriptors):
    path = write(tmp_path, content, name)
    assert load_bank(path).descriptors == descriptors
    assert bank_entries(path) == list(descriptors)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("large eyes\nwings, of skin\n", "bank.csv", "as many cells in every row, found 1 to 2"),
        ('"large eyes\n', "bank.csv", "is not valid CSV"),
        ('{"owl": ["a", "b"], "owl": ["c"]}', "bank.json", "'owl' is a key twice"),
        ("[" * 100_000, "bank.json", "more than 100 brackets"),
        ("[" * 102 + "]" * 102, "bank.json", "more than 100 brackets"),
    ],
)
def test_what_would_lose_descriptors_is_refused(tmp_path, content, name, message):
    with pytest.raises(DataError, match=message):
        load_bank(write(tmp_path, content, name))
