from __future__ import annotations

from mkbench.heads.labels import (
    HeadLabel,
    HeadTexts,
    Judgement,
    LabelDocument,
    LabelledHead,
    ShuffledLabels,
    Source,
)
from mkbench.studies.head_labels.cards import CardText, head_cards
from mkbench.studies.head_labels.study import HeadReport, TextShare

TEXTS: tuple[TextShare, ...] = (
    {"text": "a red ball", "explained_variance": 0.5},
    {"text": "a blue sky", "explained_variance": 0.25},
    {"text": "a third text", "explained_variance": 0.125},
)


def head(number: int, label: str | None, fits: tuple[bool, ...] | None) -> LabelledHead:
    source = Source("hand")
    texts = HeadTexts(11, number, ("a red ball", "a blue sky"))
    return LabelledHead(texts, HeadLabel(label, source, None if label else "no label"), Judgement(fits, source))


def report(*heads: LabelledHead, shuffled: tuple[ShuffledLabels, ...] = ()) -> HeadReport:
    results = {"metrics": []}
    return HeadReport(results, LabelDocument(heads, shuffled, {}, {}), (TEXTS,) * len(heads))  # type: ignore[arg-type]


def test_card_says_label_score_texts_and_the_heads_of_the_same_label() -> None:
    cards = head_cards(
        report(head(0, "colour", (True, False)), head(1, "colours", (True, True)), head(2, "shape", (False, False)))
    )
    assert [(card.layer, card.head, card.label, card.score) for card in cards] == [
        (11, 0, "colour", 1),
        (11, 1, "colours", 2),
        (11, 2, "shape", 0),
    ]
    assert [card.shares_label for card in cards] == [((11, 1),), ((11, 0),), ()]  # in one spelling, as the metric
    assert cards[0].explained == 0.875
    assert cards[0].texts == (
        CardText("a red ball", 0.5, True),
        CardText("a blue sky", 0.25, False),
        CardText("a third text", 0.125, None),
    )


def test_heads_without_a_label_share_none() -> None:
    cards = head_cards(report(head(0, None, None), head(1, None, None)))
    assert [(card.label, card.score, card.permuted, card.shares_label) for card in cards] == [
        (None, None, None, ())
    ] * 2


def test_permuted_labels_are_averaged_over_the_shuffles() -> None:
    """Head 0 fits 2 and 1 of its texts; head 1 was not judged once, which counts as none."""
    shuffled = (
        ShuffledLabels(("shape", None), ((True, True), None)),
        ShuffledLabels(("colour", "shape"), ((True, False), (True, False))),
    )
    cards = head_cards(report(head(0, "colour", (True, True)), head(1, "shape", (True, True)), shuffled=shuffled))
    assert [card.permuted for card in cards] == [1.5, 0.5]
