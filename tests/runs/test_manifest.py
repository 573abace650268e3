import pytest

from mkbench.errors import DataError
from mkbench.runs.manifest import differences, read_manifest
from mkbench.runs.run_folder import write_json


def test_no_file_is_no_manifest(tmp_path):
    assert read_manifest(tmp_path) is None


def test_manifest_survives_the_disk(tmp_path):
    content = {"model": {"name": "a"}, "groups": {"00000-000": ["a/1.png"]}}
    write_json(tmp_path / "manifest.json", content)
    assert read_manifest(tmp_path) == content


def test_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text('{"model": ')
    with pytest.raises(DataError, match=r"manifest.json, found a damaged file; run with --results.overwrite true\."):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"b": 1}, ["a (1, now None)", "b (None, now 1)"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c (1, now 2)"]),
        ({"a": {"b": 1}}, {"a": 2}, ["a ({'b': 1}, now 2)"]),
        ({"a": "x" * 200}, {"a": "y"}, ["a"]),
        # Groups list every image: their names would fill the screen.
        ({"groups": {"1": ["p" * 90]}}, {"groups": {"1": ["q" * 90]}}, ["groups"]),
    ],
)
def test_differences_are_named_with_both_values(earlier, later, expected):
    assert differences(earlier, later) == expected


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"groups": 3}', "groups to be an object, found an integer"),
        ("[1]", "to be an object"),
        ('{"groups": {}, "model": "a"}', "model"),
        ('{"model": {}}', "groups, found none"),
    ],
)
def test_manifest_of_another_shape_is_refused(content, fault, tmp_path):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=rf"Expected in .*manifest\.json .*{fault}.*--results\.overwrite true"):
        read_manifest(tmp_path)
