"""Labels and judgements from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkbench.errors import DataError
from mkbench.heads.labels import FileJudge, FileLabeller, HeadTexts, LabelContext

ENTRY: dict[str, Any] = {"layer": 10, "head": 0, "label": "Colours"}
FITS = [True, False, True, True, True]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_entries(*entries: dict[str, Any]) -> Path:
        path = tmp_path / "labels.json"
        path.write_text(json.dumps({"heads": entries}))
        return path

    return write_entries


def test_labels_are_normalised_and_found_by_head(
    write: Callable[..., Path], heads: tuple[HeadTexts, ...], context: LabelContext
) -> None:
    blank = {"layer": 10, "head": 1, "label": " ?"}
    refused = {"layer": 10, "head": 2, "label": None, "label_reason": "refused"}
    labels = FileLabeller(write(refused, blank, ENTRY)).label(heads, context)
    assert [label.label for label in labels] == ["colour", None, None]
    assert [label.reason for label in labels] == [None, "no label", "refused"]


def test_heads_that_the_file_lacks(
    write: Callable[..., Path], heads: tuple[HeadTexts, ...], context: LabelContext
) -> None:
    labels = FileLabeller(write(ENTRY)).label(heads, context)
    assert [label.reason for label in labels] == [None, "not in the file", "not in the file"]
    with pytest.raises(DataError, match=r"labels of layer 11 head 0 and others in .*is it the file of another model"):
        FileLabeller(write(ENTRY)).label([HeadTexts(11, 0, ("a",))], context)
    assert FileLabeller(write(ENTRY)).label([], context) == []


def test_labels_of_other_texts_are_refused(
    write: Callable[..., Path], heads: tuple[HeadTexts, ...], context: LabelContext
) -> None:
    same = write(ENTRY | {"texts": list(heads[0].texts)})
    assert FileLabeller(same).label(heads, context)[0].label == "colour"
    other = write(ENTRY | {"texts": ["other"]})
    with pytest.raises(DataError, match=r"found other texts for layer 10 head 0; label them again"):
        FileLabeller(other).label(heads, context)


def test_judgements_hold_for_their_own_label(
    write: Callable[..., Path], heads: tuple[HeadTexts, ...], context: LabelContext
) -> None:
    path = write(ENTRY | {"fits": FITS}, {"layer": 10, "head": 1, "label": "size", "fits_reason": "refused"})
    judge = FileJudge(path)
    assert not judge.any_label
    found = judge.judge([heads[0], heads[0], *heads], ["colour", "size", None, "size", "size"], context)
    assert [judgement.fits for judgement in found] == [tuple(FITS), None, None, None, None]
    reasons = [None, "judged under another label", "no label", "refused", "not in the file"]
    assert [judgement.reason for judgement in found] == reasons


def test_judgements_of_other_texts_are_refused(
    write: Callable[..., Path], heads: tuple[HeadTexts, ...], context: LabelContext
) -> None:
    judge = FileJudge(write(ENTRY | {"fits": FITS[:4]}))
    with pytest.raises(DataError, match=r"5 judgements of layer 10 head 0 in .*, found 4; judge again"):
        judge.judge(heads[:1], ["colour"], context)


def test_settings_tell_one_file_from_another(write: Callable[..., Path]) -> None:
    first = FileLabeller(write(ENTRY)).settings()
    assert first != FileLabeller(write(ENTRY | {"label": "size"})).settings()
    assert set(first) == {"name", "sha256"}
