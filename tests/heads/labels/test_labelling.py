"""From texts to labels, judgements and their control."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from chat_server import ChatServer, Request, Response, completion

from mkbench.heads.labels import (
    FileJudge,
    FileLabeller,
    HeadLabel,
    HeadTexts,
    Judgement,
    LabelContext,
    LanguageModelJudge,
    LanguageModelLabeller,
    Source,
    head_texts,
    label_heads,
    read_labels,
    shuffle_labels,
)

TOY = Source("toy")


class FirstWord:
    """Labels a head by the first word of its first text; one without texts has no label."""

    def settings(self) -> dict[str, object]:
        return {"name": "first word"}

    def label(self, heads: Sequence[HeadTexts], context: LabelContext) -> list[HeadLabel]:
        return [
            HeadLabel(head.texts[0].split()[0], TOY) if head.texts else HeadLabel(None, TOY, "no texts")
            for head in heads
        ]


class Contains:
    """A text fits a label that it holds."""

    any_label = True

    def settings(self) -> dict[str, object]:
        return {"name": "contains"}

    def judge(self, heads: Sequence[HeadTexts], labels: Sequence[str | None], context: LabelContext) -> list[Judgement]:
        return [
            Judgement(tuple(label in text for text in head.texts), TOY) if label else Judgement(None, TOY, "no label")
            for head, label in zip(heads, labels, strict=True)
        ]


HEADS = [HeadTexts(0, head, (f"{word} one", word)) for head, word in enumerate("abcdef")] + [HeadTexts(0, 6, ())]


def test_labels_judgements_and_control() -> None:
    document = label_heads(HEADS, FirstWord(), Contains(), LabelContext(), shuffles=3, seed=5)
    assert [head.label.label for head in document.heads] == [*"abcdef", None]
    assert [head.judgement.fits for head in document.heads] == [(True, True)] * 6 + [None]
    assert (document.labeller, document.judge) == ({"name": "first word"}, {"name": "contains"})
    assert len(document.shuffled) == 3
    assert len({one.labels for one in document.shuffled}) == 3
    for number, one in enumerate(document.shuffled):
        assert list(one.labels) == shuffle_labels([*"abcdef", None], seed=5 + number)
        for head, label, fits in zip(HEADS, one.labels, one.fits, strict=True):
            assert fits == (tuple(str(label) in text for text in head.texts) if label else None)


def test_without_control() -> None:
    assert label_heads(HEADS, FirstWord(), Contains(), LabelContext(), shuffles=0).shuffled == ()
    with pytest.raises(ValueError, match="shuffles must not be negative, found -1"):
        label_heads(HEADS, FirstWord(), Contains(), LabelContext(), shuffles=-1)
    empty = label_heads([], FirstWord(), Contains(), LabelContext())
    assert (empty.heads, empty.shuffled) == ((), ())


def test_shuffle_keeps_the_labels_and_the_gaps() -> None:
    labels = ["a", None, "b", "c", None, "a"]
    shuffles = [shuffle_labels(labels, seed=seed) for seed in range(20)]
    assert len({tuple(one) for one in shuffles}) > 5
    for one in shuffles:
        assert sorted(filter(None, one)) == ["a", "a", "b", "c"]
        assert one[1] is one[4] is None
    assert shuffle_labels(labels, seed=3) == shuffle_labels(labels, seed=3)
    assert shuffle_labels([], seed=0) == []


def test_labels_of_a_run_are_judged_again_without_a_language_model(
    server: ChatServer, endpoint: Any, context: LabelContext, heads: tuple[HeadTexts, ...], tmp_path: Path
) -> None:
    pytest.importorskip("openai")

    def respond(request: Request) -> Response:
        judged = "Property: " in request.prompt
        return completion(json.dumps({"fits": [True] * 4 + [False]} if judged else {"label": "colours"}))

    server.respond = respond
    document = label_heads(heads, LanguageModelLabeller(endpoint()), LanguageModelJudge(endpoint()), context)
    # All heads have one label, so that the shuffled questions are those already asked.
    assert len(server.requests) == 6
    path = tmp_path / "labels.json"
    document.write(path)
    again = label_heads(heads, FileLabeller(path), FileJudge(path), LabelContext())
    assert again.heads == document.heads
    assert again.shuffled == ()  # a file knows its own labels only
    assert read_labels(path) == document
    assert "sk-" not in path.read_text()


def test_texts_of_heads() -> None:
    indices = torch.tensor([[0, 2, 1], [1, -1, -1], [2, 1, 0], [-1, -1, -1]])
    heads = head_texts(indices, ["a", "b", "c"], layers=[8, 11], num_texts=2)
    assert heads == (
        HeadTexts(8, 0, ("a", "c")),
        HeadTexts(8, 1, ("b",)),
        HeadTexts(11, 0, ("c", "b")),
        HeadTexts(11, 1, ()),
    )


@pytest.mark.parametrize(
    ("indices", "layers", "found"),
    [
        (torch.zeros(3, 5, dtype=torch.int64), [8, 11], r"of 2 layers and at least 5 texts, found \(3, 5\)"),
        (torch.zeros(2, 4, dtype=torch.int64), [11], r"at least 5 texts, found \(2, 4\)"),
        (torch.zeros(5, dtype=torch.int64), [11], r"found \(5,\)"),
        (torch.zeros(2, 5, dtype=torch.int64), [], r"of 0 layers"),
        (torch.full((2, 5), 3), [11], r"must lie in -1\.\.2, found 3\.\.3"),
    ],
)
def test_indices_that_do_not_fit(indices: torch.Tensor, layers: list[int], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        head_texts(indices, ["a", "b", "c"], layers=layers)
