from __future__ import annotations

from typing import Any

import pytest
import torch

from mkbench.concepts import Explanations, GroupContext


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
