"""Labels of heads as a JSON file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mkbench.errors import DataError, UsageError
from mkbench.heads.labels import (
    HeadLabel,
    HeadTexts,
    Judgement,
    LabelDocument,
    LabelledHead,
    ShuffledLabels,
    Source,
    read_labels,
)


def document() -> LabelDocument:
    asked = Source("toy", "What is it?", '{"label": "Größe"}')
    first = LabelledHead(
        HeadTexts(10, 0, ("big", "small")),
        HeadLabel("größe", asked),
        Judgement((True, False), Source("toy", "Is it?", "[1]")),
    )
    second = LabelledHead(
        HeadTexts(10, 1, ()), HeadLabel(None, asked, "refused"), Judgement(None, Source("toy"), "no label")
    )
    shuffled = ShuffledLabels(("größe", None), ((False, False), None))
    return LabelDocument((first, second), (shuffled,), {"name": "language model"}, {"name": "similarity"})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "labels.json"
    document().write(path)
    assert read_labels(path) == document()
    assert [file.name for file in path.parent.iterdir()] == ["labels.json"]
    read_labels(path).write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_each_head_has_all_that_is_known_of_it(tmp_path: Path) -> None:
    document().write(tmp_path / "labels.json")
    content = json.loads((tmp_path / "labels.json").read_text())
    assert content["schema_version"] == 1
    assert content["heads"][0] == {
        "layer": 10,
        "head": 0,
        "texts": ["big", "small"],
        "label": "größe",
        "label_reason": None,
        "label_source": {"model": "toy", "prompt": "What is it?", "reply": '{"label": "Größe"}'},
        "fits": [True, False],
        "fits_reason": None,
        "fits_source": {"model": "toy", "prompt": "Is it?", "reply": "[1]"},
    }


def test_file_by_hand_needs_little(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('\ufeff{"heads": [{"layer": 3, "head": 1, "label": null}]}', encoding="utf-8")
    (head,) = read_labels(path).heads
    assert head == LabelledHead(
        HeadTexts(3, 1, ()), HeadLabel(None, Source("own.json")), Judgement(None, Source("own.json"))
    )


HEAD: dict[str, Any] = {"layer": 0, "head": 0, "label": "size"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ("{}", "KeyError"),
        ({"heads": [{"layer": 0, "head": 0}]}, "KeyError: 'label'"),
        ({"heads": [HEAD, HEAD]}, "a head is there twice"),
        ({"heads": [HEAD | {"layer": "0"}]}, "must be whole numbers"),
        ({"heads": [HEAD | {"head": True}]}, "must be whole numbers"),
        ({"heads": [HEAD | {"texts": [3]}]}, "texts strings"),
        ({"heads": [HEAD | {"label": 3}]}, "must be a string or null, found 3"),
        ({"heads": [HEAD | {"fits": [1]}]}, "true or false for each text"),
        ({"heads": [HEAD | {"fits": "yes"}]}, "true or false for each text"),
        ({"heads": [HEAD | {"texts": ["a"], "fits": [True, True]}]}, "one for each text"),
        ({"heads": [HEAD | {"label_source": {"name": "toy"}}]}, "TypeError"),
        ({"heads": [HEAD], "shuffled": [{"labels": [], "fits": []}]}, "shuffled labels of other heads"),
        ({"heads": [HEAD], "schema_version": 2}, "schema version 2, this mkbench reads 1"),
        ("[" * 100_000, "more than 100 brackets"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, content: Any, found: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError, match=rf"labels of heads in .*labels\.json .*{re.escape(found)}.*label again"):
        read_labels(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a file of labels at .*none\.json, found no readable file"):
        read_labels(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 0\)"):
        read_labels(tmp_path / "bytes.json")
