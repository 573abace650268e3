from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import Tensor
from toy_context import ALL, NONE, ONE, encode, make_context

from mkbench.concepts import blur
from mkbench.metrics.functional.removal_sequence import score_curve
from mkbench.scorers import Calibration, ScorerContext

TWO = [True, False, True]


def by_hand(context: ScorerContext, image: int) -> float:
    """One image and part at a time."""
    explanation, pixels = context.explanation, context.group.images[image]
    own = context.image_embedding[image].double()
    class_ = context.classes[context.predicted[image]]
    importance, falls = [], []
    for part in explanation.present[image].nonzero().flatten().tolist():
        first = int(explanation.descriptor_ids[image, part, 0])
        to_part = torch.cosine_similarity(own, explanation.part_embeddings[image, part].double(), dim=0)
        importance.append(float(to_part * torch.cosine_similarity(own, context.bare[first].double(), dim=0)))
        without = torch.where(explanation.part_pixels[image, part], blur(pixels[None])[0], pixels)
        pair = score_curve(encode(torch.stack([pixels, without])), class_)
        falls.append(float(pair[0] - pair[1]))
    return float(stats.spearmanr(importance, falls).statistic)


def test_rank_correlation_of_each_image() -> None:
    context = make_context([ALL] * 40)  # more parts than are rendered at once
    values = Calibration().score(context)["importance_effect"]
    assert values == pytest.approx([by_hand(context, image) for image in range(40)], abs=1e-9)
    assert len(set(values)) > 2


def test_fewer_than_three_parts_have_no_order() -> None:
    context = make_context([NONE, ONE, TWO, ALL])
    values = Calibration().score(context)["importance_effect"]
    assert values[:3] == [None] * 3
    assert values[3] is not None


def test_without_enough_parts_nothing_is_encoded() -> None:
    context = replace(make_context([NONE, TWO]), encode=NotImplemented)
    assert Calibration().score(context)["importance_effect"] == [None, None]


def test_parts_without_a_descriptor_do_not_count() -> None:
    context = make_context([ALL], ids=torch.tensor([[[0, 1], [-1, -1], [2, 3]]]))
    assert Calibration().score(context)["importance_effect"] == [None]


@pytest.mark.parametrize(("sign", "expected"), [(1.0, 1.0), (-1.0, -1.0)])
def test_importance_that_is_the_effect(sign: float, expected: float) -> None:
    """Three parts of which the first makes the largest difference; the encoder sees how much of each is left."""
    context = make_context([ALL])
    images = torch.full_like(context.group.images, 100)
    images[..., ::2] += torch.tensor([60] * 4 + [30] * 4 + [10] * 4, dtype=torch.uint8)  # stripes that a blur levels

    def contrast(pixels: Tensor) -> Tensor:
        left = pixels.double().std(dim=(1, 2, 3))
        return torch.stack([left, torch.full_like(left, 20.0), *[torch.zeros_like(left)] * 4], dim=1).float()

    image = torch.tensor([[1.0, 0, 0, 0, 0, 0]])
    parts = torch.tensor([[[3.0, 1], [2.0, 1], [1.0, 1]]])  # cosines with the image: falling
    embeddings = torch.nn.functional.pad(parts, (0, 4))
    context = replace(
        context,
        group=replace(context.group, images=images),
        explanation=replace(context.explanation, part_embeddings=embeddings),
        image_embedding=image,
        bare=image.expand(8, -1) * sign,
        classes=image.expand(4, -1),
        encode=contrast,
    )
    assert Calibration().score(context)["importance_effect"] == [expected]


def test_columns_are_those_announced() -> None:
    scorer = Calibration()
    assert list(scorer.score(make_context([ALL]))) == list(scorer.columns)
    assert scorer.settings() == {}
