"""Metrics of changed images against loops over descriptors and pixels, and where there is nothing to compare."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from mkbench.metrics.functional import descriptor_change, map_change, score_change
from mkbench.metrics.functional.intervention import own_and_mispaired

IMAGES, FACTORS, BANK, SIDE = 3, 4, 30, 6


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def truth() -> tuple[Tensor, Tensor]:
    return draw(0, IMAGES, BANK) > 0.6, draw(1, IMAGES, FACTORS, BANK) > 0.6


def test_rates_equal_counts_of_single_descriptors(truth: tuple[Tensor, Tensor]) -> None:
    before, after = draw(2, IMAGES, BANK) > 0.5, draw(3, IMAGES, FACTORS, BANK) > 0.5
    found = descriptor_change(before, after, *truth)
    for image in range(IMAGES):
        for own in range(FACTORS):
            for other in range(FACTORS):
                hits, must, moved, alarms = 0, 0, 0, 0
                for d in range(BANK):
                    step = int(after[image, own, d]) - int(before[image, d])
                    wanted = int(truth[1][image, other, d]) - int(truth[0][image, d])
                    must += wanted != 0
                    hits += wanted != 0 and step == wanted
                    moved += wanted != 0 and step != 0
                    alarms += wanted == 0 and step != 0
                place = (image, own, other)
                assert found.hit_rate[place].item() == pytest.approx(hits / must)
                assert found.false_alarm[place].item() == pytest.approx(alarms / (BANK - must))
                assert found.direction[place].item() == pytest.approx(hits / moved)
                assert found.youden[place].item() == pytest.approx(hits / must - alarms / (BANK - must))


def test_score_auc_equals_scikit_learn(truth: tuple[Tensor, Tensor]) -> None:
    """Descriptors that become false count by the negative of their change, against the others with theirs."""
    before, after = draw(4, IMAGES, BANK), (draw(5, IMAGES, FACTORS, BANK) * 10).round() / 10  # with ties
    found = score_change(before, after, *truth)
    for image in range(IMAGES):
        move = (after[image].double() - before[image].double()).numpy()
        for own in range(FACTORS):
            for other in range(FACTORS):
                wanted = truth[1][image, other].int().numpy() - truth[0][image].int().numpy()
                wins = [
                    roc_auc_score((wanted == sign)[(wanted == sign) | (wanted == 0)], kept) * (wanted == sign).sum()
                    for sign in (1, -1)
                    for kept in [(sign * move[own])[(wanted == sign) | (wanted == 0)]]
                ]
                expected = sum(wins) / (wanted != 0).sum()
                assert found[image, own, other].item() == pytest.approx(expected)


def test_focus_equals_numpy() -> None:
    before, after = draw(6, IMAGES, SIDE, SIDE), draw(7, IMAGES, FACTORS, SIDE, SIDE)
    regions = draw(8, IMAGES, FACTORS, SIDE, SIDE) > 0.7
    found = map_change(before, after, regions)
    change = np.abs(after.numpy() - before[:, None].numpy()).astype(np.float64)
    for image in range(IMAGES):
        for own in range(FACTORS):
            for other in range(FACTORS):
                inside = regions[image, other].numpy()
                share = change[image, own][inside].sum() / change[image, own].sum()
                assert found[image, own, other].item() == pytest.approx(share / inside.mean())


def test_nothing_to_compare_has_no_value() -> None:
    truth = torch.tensor([[True, False]])
    same = descriptor_change(truth, truth[:, None], truth, truth[:, None])
    assert math.isnan(same.hit_rate.item())
    assert same.false_alarm.item() == 0
    assert math.isnan(same.direction.item())
    assert math.isnan(score_change(torch.zeros(1, 2), torch.zeros(1, 1, 2), truth, truth[:, None]).item())
    assert math.isnan(score_change(torch.zeros(1, 2), torch.zeros(1, 1, 2), truth, ~truth[:, None]).item())
    maps, somewhere = torch.ones(1, 2, 2), torch.eye(2, dtype=torch.bool)[None, None]
    assert math.isnan(map_change(maps, maps[:, None], somewhere).item())
    assert math.isnan(map_change(maps, 2 * maps[:, None], somewhere & False).item())
    assert map_change(maps, 2 * maps[:, None], somewhere).item() == 1


def test_mispaired_pairs_are_those_of_other_factors() -> None:
    values = torch.tensor([[[1.0, 0.0, 0.5], [2.0, 5.0, torch.nan], [0.0, 0.0, torch.nan]]])
    own, mispaired = own_and_mispaired(values)
    assert own[0, :2].tolist() == [1.0, 5.0]
    assert mispaired[0, :2].tolist() == [0.25, 2.0]
    assert own[0, 2].isnan()
    assert mispaired[0, 2].isnan()
    assert own_and_mispaired(torch.ones(1, 1, 1))[1].isnan().all()


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"expected true_after of shape \(1, 2, 3\) to fit `after`, found \(1, 1, 3\)"):
        descriptor_change(*(torch.zeros(shape, dtype=torch.bool) for shape in [(1, 3), (1, 2, 3), (1, 3), (1, 1, 3)]))
    with pytest.raises(ValueError, match=r"expected before of shape \(1, 4, 4\)"):
        map_change(torch.zeros(1, 4, 3), torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.bool))
