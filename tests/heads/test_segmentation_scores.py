from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, jaccard_score
from torch import Tensor

from mkbench.heads import segment
from mkbench.heads.segmentation_scores import MapScores, score_maps


def draw(images: int = 3, maps: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(images, maps, 3, 3, generator=generator), torch.rand(images, 9, 9, generator=generator) > 0.6


def test_scores_of_every_image_are_those_of_scikit_learn() -> None:
    maps, ground_truth = draw()
    scores = score_maps(maps, ground_truth)
    for image in range(3):
        iou, precision = [], []
        for place in range(2):
            found = segment(maps[image, place][None].double(), 9)
            true, seen, values = (x.flatten().numpy() for x in (ground_truth[image], found.masks, found.scores))
            iou.append(jaccard_score(true, seen, average=None))
            both = np.concatenate([true, ~true])
            precision.append(average_precision_score(both, np.concatenate([values, 1 - values])))
        np.testing.assert_allclose(scores.iou[image].numpy(), np.mean(iou, axis=0), rtol=1e-12)
        assert float(scores.average_precision[image]) == pytest.approx(np.mean(precision), rel=1e-12)
    assert scores.counts.sum(dim=(1, 2)).tolist() == [81.0] * 3


def test_flat_map_has_no_object_and_is_told() -> None:
    maps = torch.zeros(2, 2, 2, 2)
    maps[0, 0, 0] = 1  # the second map of the first image, and both of the second, are flat
    ground_truth = torch.zeros(2, 4, 4, dtype=torch.bool)
    ground_truth[:, :2] = True
    scores = score_maps(maps, ground_truth)
    assert scores.flat.tolist() == [True, True]
    assert score_maps(maps[:, :1], ground_truth).flat.tolist() == [False, True]
    assert scores.counts[1].tolist() == [[8, 0], [8, 0]]
    assert scores.iou[1].tolist() == [0.5, 0.0]


def test_batches_are_joined() -> None:
    maps, ground_truth = draw()
    parts = [score_maps(maps[i : i + 1], ground_truth[i : i + 1]) for i in range(3)]
    for one, other in zip(MapScores.concatenate(parts), score_maps(maps, ground_truth), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)  # batches of another size add up in another order


def test_no_image() -> None:
    scores = score_maps(torch.zeros(0, 1, 2, 2), torch.zeros(0, 4, 4, dtype=torch.bool))
    assert [tuple(values.shape) for values in scores] == [(0, 2, 2), (0, 2), (0,), (0,)]


@pytest.mark.parametrize(
    ("maps", "ground_truth"), [((2, 2, 2), (2, 4, 4)), ((2, 0, 2, 2), (2, 4, 4)), ((2, 1, 2, 2), (1, 4, 4))]
)
def test_shapes_are_checked(maps: tuple[int, ...], ground_truth: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Expected maps \(B, R, h, w\) and ground truth \(B, S, S\)"):
        score_maps(torch.zeros(maps), torch.zeros(ground_truth, dtype=torch.bool))
