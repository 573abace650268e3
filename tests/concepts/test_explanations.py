from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch

from mkbench.concepts import Explanations, GroupContext
from mkbench.concepts.linalg import bank_cosines


class Counting:
    """Counts how often it is asked, and asks for another first."""

    max_concepts = 1

    def __init__(self, name: str, other: str | None = None) -> None:
        self.name, self.other, self.asked = name, other, 0

    def settings(self) -> dict[str, object]:
        return {}

    def explain(self, context: GroupContext) -> Any:
        self.asked += 1
        return (self.name, None if self.other is None else context.explanations[self.other])


@pytest.fixture
def context() -> GroupContext:
    unit = torch.eye(3)
    return GroupContext(
        images=torch.zeros(3, 3, 8, 8, dtype=torch.uint8),
        features=torch.zeros(3, 4, 5),
        image_embedding=unit,
        bare_embeddings=unit,
        prompted_embeddings=unit,
        foreground_patches=torch.zeros(3, 2, 2, dtype=torch.bool),
        foreground_pixels=torch.zeros(3, 8, 8, dtype=torch.bool),
        seed=0,
        encode=lambda pixels: pixels,
    )


def test_each_is_made_once_in_whatever_order(context: GroupContext) -> None:
    explainers = [Counting("control", "other"), Counting("other")]
    made: Any = Explanations(explainers, context)
    assert "other" in made
    assert [one.asked for one in explainers] == [0, 0]
    assert made["control"] == ("control", ("other", None))
    assert made["other"] is made["control"][1]
    assert [one.asked for one in explainers] == [1, 1]
    assert (list(made), len(made), "third" in made) == (["control", "other"], 2, False)
    with pytest.raises(KeyError):
        made["third"]


class Relevant(Counting):
    """Asks how relevant the descriptors are."""

    def explain(self, context: GroupContext) -> Any:
        return context.relevance()


def test_relevance_is_computed_once_for_all(context: GroupContext, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def count(rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
        asked.append(len(rows))
        return bank_cosines(rows, bank)

    monkeypatch.setattr("mkbench.concepts.group_context.bank_cosines", count)
    made: Any = Explanations([Relevant("one"), Relevant("other")], context)
    assert torch.equal(made["one"], torch.eye(3, dtype=torch.float64))
    assert made["other"] is made["one"]
    assert asked == [3]
    # A copy with other embeddings has cosines of its own.
    assert torch.equal(replace(context, image_embedding=-context.image_embedding).relevance(), -made["one"])


def test_group_is_freed_with_its_explanations(context: GroupContext) -> None:
    made: Any = Explanations([Relevant("one")], replace(context, images=context.images.clone()))
    images = weakref.ref(made.context.images)
    made["one"]
    gc.disable()
    try:
        del made
        assert images() is None  # at once, without a collection
    finally:
        gc.enable()
