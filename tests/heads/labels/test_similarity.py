"""Labels and judgements by text similarity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mkbench.errors import DataError, UsageError
from mkbench.heads.labels import BankLabeller, HeadTexts, LabelContext, SimilarityJudge, normalise_label
from mkbench.heads.labels.similarity import PROPERTIES


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    path = tmp_path / "bank.json"
    path.write_text(json.dumps(["Colours", "place", "number"]))
    return path


def test_properties_of_the_package_are_normalised_and_told_apart() -> None:
    labels = json.loads(PROPERTIES.read_text())
    assert len(set(labels)) == len(labels) > 140
    assert [label for label in labels if normalise_label(label) != label] == []
    # Labels compare equal if one begins the other.
    assert [(a, b) for a in labels for b in labels if a != b and b.startswith(a)] == []
    assert {"location", "colour", "animal", "counting", "shape", "texture"} <= set(labels)


def test_nearest_label_worked_out_by_hand(bank: Path, directions: Any) -> None:
    # Texts of head 0: (1, 0), (0, 1), (1, 0) as unit rows: mean (2/3, 1/3), nearest to Colours (1, 0). The long
    # "town town town" counts as one unit row: as lengths, place would win. Head 1: town alone, nearest to place.
    encoder = directions(red=[1.0, 0.0], town=[0.0, 1.0], Colours=[2.0, 0.0], place=[0.0, 1.0], number=[-1.0, -1.0])
    heads = [HeadTexts(0, 0, ("red", "town town town", "red")), HeadTexts(0, 1, ("town",))]
    labeller = BankLabeller(bank, template="all {}")
    labels = labeller.label(heads, LabelContext(encoder))
    assert [label.label for label in labels] == ["colour", "place"]
    assert labels[0].source.model == "nearest label"
    # Each once, the shortest first, so that a batch is no longer than its texts.
    assert sorted(encoder.seen) == sorted(["red", "town town town", "town", "all Colours", "all place", "all number"])


def test_ties_go_to_the_earlier_label(bank: Path, directions: Any) -> None:
    encoder = directions(red=[1.0, 0.0], Colours=[0.0, 1.0], place=[1.0, 1.0], number=[3.0, 3.0])
    (label,) = BankLabeller(bank, template="{}").label([HeadTexts(0, 0, ("red",))], LabelContext(encoder))
    assert label.label == "place"


def test_heads_without_texts_have_no_label(bank: Path, directions: Any) -> None:
    encoder = directions(red=[1.0, 0.0], Colours=[1.0, 0.0])
    heads = [HeadTexts(0, 0, ()), HeadTexts(0, 1, ("red",))]
    labels = BankLabeller(bank, template="{}").label(heads, LabelContext(encoder))
    assert [(label.label, label.reason) for label in labels] == [(None, "no texts"), ("colour", None)]
    assert BankLabeller(bank).label(heads[:1], LabelContext(encoder))[0].reason == "no texts"
    assert BankLabeller(bank).label([], LabelContext(encoder)) == []


class Noise:
    """A text encoder whose embeddings are random, and the same each time."""

    def encode_text(self, texts: list[str], /) -> torch.Tensor:
        rows = [np.random.default_rng(list(text.encode())).normal(size=16) for text in texts]
        return torch.from_numpy(np.stack(rows)).float()


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.9])
def test_judgements_match_numpy(quantile: float) -> None:
    labels = json.loads(PROPERTIES.read_text())
    heads = [HeadTexts(0, head, tuple(f"text {head} {place}" for place in range(5))) for head in range(12)]
    given = [labels[place * 7] for place in range(10)] + ["a label of no bank", None]
    judge = SimilarityJudge(quantile)
    found = judge.judge(heads, given, LabelContext(Noise()))

    def embed(texts: list[str]) -> np.ndarray:
        rows = Noise().encode_text(texts).double().numpy()
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    bank = embed([f"a picture showing {label}" for label in labels])
    for head, label, judgement in zip(heads[:-1], given[:-1], found[:-1], strict=True):
        texts = embed(list(head.texts))
        own = texts @ embed([f"a picture showing {label}"])[0]
        assert judgement.fits == tuple((own > np.quantile(texts @ bank.T, quantile, axis=1) + 1e-9).tolist())
    assert found[-1].fits is None
    assert found[-1].reason == "no label"
    if quantile:  # labels at random fit in a share of about 1 - quantile: 55 draws, within four deviations
        share = np.mean([judgement.fits for judgement in found[:-1]])
        assert abs(share - (1 - quantile)) < 4 * (quantile * (1 - quantile) / 55) ** 0.5


def test_label_at_the_quantile_does_not_fit(bank: Path, directions: Any) -> None:
    encoder = directions(red=[1.0, 0.0], Colours=[1.0, 0.0], place=[1.0, 1.0], number=[0.0, 1.0])
    head = HeadTexts(0, 0, ("red",))
    judge = SimilarityJudge(0.5, bank=bank, template="{}")
    fits = judge.judge([head] * 3, ["Colours", "place", "number"], LabelContext(encoder))
    assert [judgement.fits for judgement in fits] == [(True,), (False,), (False,)]
    assert judge.judge([], [], LabelContext(encoder)) == []


def test_wrong_use_says_what_to_do(tmp_path: Path, directions: Any) -> None:
    head = HeadTexts(0, 0, ("red",))
    with pytest.raises(UsageError, match="a model whose text encoder compares texts and labels, found none"):
        BankLabeller().label([head], LabelContext())
    with pytest.raises(UsageError, match="found none; give one, or label by a language model or a file"):
        SimilarityJudge().judge([head], ["red"], LabelContext())
    with pytest.raises(UsageError, match="check the path"):
        BankLabeller(tmp_path / "none.json").settings()
    (tmp_path / "one.json").write_text('["red"]')
    with pytest.raises(DataError, match="at least 2 different"):
        SimilarityJudge(bank=tmp_path / "one.json").settings()
    for quantile in (-0.1, 1.0):
        with pytest.raises(ValueError, match="quantile must be at least 0 and below 1"):
            SimilarityJudge(quantile)


def test_settings_tell_what_changes_numbers(bank: Path) -> None:
    assert BankLabeller().settings() != BankLabeller(bank).settings()
    assert BankLabeller().settings() != BankLabeller(template="{}").settings()
    assert SimilarityJudge().settings() != SimilarityJudge(0.5).settings()
    assert str(bank.parent) not in json.dumps(BankLabeller(bank).settings())
