from __future__ import annotations

import json
from pathlib import Path

import pytest

import mkbench
from mkbench.errors import UsageError
from mkbench.heads.labels import (
    HeadLabel,
    HeadTexts,
    Judgement,
    LabelDocument,
    LabelledHead,
    Source,
    normalise_label,
)
from mkbench.studies.head_removal.choice import consistent_labels, heads_by_label, load_families

LABELS = {(3, 0): "sea", (2, 1): "ground", (2, 0): "tail", (3, 1): "sky"}
ASSETS = Path(mkbench.__file__).parent / "assets" / "heads"


@pytest.mark.parametrize(
    ("label", "heads"),
    [
        ("background", [(2, 1), (3, 0), (3, 1)]),
        ("ground", [(2, 1), (3, 0)]),
        ("Seas", [(3, 0)]),
        ("tail", [(2, 0)]),
    ],
)
def test_heads_with_a_label_or_a_kind_of_it(label: str, heads: list[tuple[int, int]]) -> None:
    assert heads_by_label(LABELS, label) == heads


def test_no_head_has_the_label() -> None:
    with pytest.raises(UsageError, match=r"found 'wing'; the labels are ground, sea, sky, tail\. Give one of these"):
        heads_by_label(LABELS, "wing")
    with pytest.raises(UsageError, match="the labels are none"):
        heads_by_label({}, "background")


def test_kinds_are_spelt_as_labels_are_and_known_to_a_labeller() -> None:
    known = {
        label
        for name in ("critters-properties", "properties")
        for label in json.loads((ASSETS / f"{name}.json").read_text(encoding="utf-8"))
    }
    for kinds in load_families().values():
        assert len(set(kinds)) == len(kinds)
        assert all(normalise_label(kind) == kind for kind in kinds)
        assert set(kinds) <= known
    assert set(load_families()["ground"]) <= set(load_families()["background"])


def test_labels_that_texts_fit() -> None:
    hand = Source("hand")
    judged: list[tuple[str | None, tuple[bool, ...] | None]] = [
        ("sea", (True,) * 5),
        ("sky", (True, True, False, False, False)),
        ("mud", None),
        (None, (True,) * 5),
    ]
    heads = tuple(
        LabelledHead(HeadTexts(3, number, ()), HeadLabel(label, hand), Judgement(fits, hand))
        for number, (label, fits) in enumerate(judged)
    )
    document = LabelDocument(heads, (), {}, {})
    assert consistent_labels(document, fits=0) == {(3, 0): "sea", (3, 1): "sky", (3, 2): "mud"}
    assert consistent_labels(document, fits=2) == {(3, 0): "sea", (3, 1): "sky"}
    assert consistent_labels(document, fits=3) == {(3, 0): "sea"}
