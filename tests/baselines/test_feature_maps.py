from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from toy_features import make_inputs

from mkbench.baselines import FeatureMaps
from mkbench.baselines.feature_maps import masked_mean, strongest_maps
from mkbench.errors import UsageError


def test_strongest_maps_of_each_image() -> None:
    features = torch.randn(4, 12, 7, generator=torch.Generator().manual_seed(0))
    maps = strongest_maps(features, 3).numpy()
    for image, found in zip(features.double().numpy(), maps, strict=True):
        channels = np.argsort(-np.linalg.norm(image, axis=0), kind="stable")[:3]
        expected = [(image[:, c] - image[:, c].min()) / np.ptp(image[:, c]) for c in channels]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_equal_channels_and_few_channels() -> None:
    # Both channels have the norm sqrt(3 * 4) and no spread: no map; a third map is not to be had.
    assert strongest_maps(torch.full((1, 3, 2), 2.0), 3).tolist() == [[[0.0] * 3] * 2]


def test_masked_mean_by_hand() -> None:
    features = torch.tensor([[[1.0, 0.0], [3.0, 4.0], [7.0, 7.0]]])
    members = torch.tensor([[[True, True, False], [False, False, False]]])
    assert masked_mean(features, members).tolist() == [[[2.0, 2.0], [0.0, 0.0]]]


def test_loss_without_drop_is_the_cross_entropy_of_the_descriptors() -> None:
    torch.manual_seed(0)
    head = FeatureMaps(make_inputs(), drop=0.0)
    features, target = torch.randn(6, 12, 5), torch.tensor([0, 1, 2, 2, 1, 0])
    probability = head.label(features.mean(dim=1)).sigmoid().detach().double().numpy()
    ground_truth = make_inputs().class_concepts[target].numpy()
    expected = log_loss(ground_truth.ravel().astype(int), probability.ravel())
    assert head.loss(features, torch.zeros(6, 6), target).item() == pytest.approx(expected, rel=1e-5)


def test_class_is_the_one_whose_descriptors_cost_least() -> None:
    torch.manual_seed(0)
    head = FeatureMaps(make_inputs()).eval()
    features = torch.randn(20, 12, 5)
    found = head.label(features.mean(dim=1)).detach().double()
    ground_truth = head.class_concepts.double()
    costs = torch.stack(
        [
            torch.nn.functional.binary_cross_entropy_with_logits(found, row.expand_as(found), reduction="none")
            for row in ground_truth
        ]
    ).sum(dim=2)  # (classes, images)
    assert head(features, torch.zeros(20, 6)).argmax(dim=1).tolist() == costs.argmin(dim=0).tolist()


def test_dropped_patches_come_in_blocks_and_never_are_all() -> None:
    torch.manual_seed(0)
    kept = FeatureMaps(make_inputs(), drop=0.5)._kept_patches(torch.zeros(300, 12, 5)).view(300, 3, 4)
    assert kept.flatten(1).any(dim=1).all()
    # Blocks of 3 x 3 on a grid of 3 x 4: a dropped image loses whole columns.
    assert torch.equal(kept.any(dim=1), kept.all(dim=1))
    lost = ~kept.flatten(1).all(dim=1)
    assert 0.3 < lost.double().mean() < 0.95


def test_blocks_fit_small_grids() -> None:
    inputs = replace(make_inputs(), grid=(2, 6))
    assert FeatureMaps(inputs, block_size=5)._block() == 1
    assert FeatureMaps(make_inputs(), block_size=5)._block() == 3


@pytest.mark.parametrize("options", [{"drop": 1.0}, {"drop": -0.1}, {"block_size": 2}, {"block_size": 0}])
def test_options_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="of the head feature-maps to be"):
        FeatureMaps(make_inputs(), **options)  # type: ignore[arg-type]
