from __future__ import annotations

import pytest
import torch

from mkbench.backbones import Geometry
from mkbench.datamodules import Critters
from mkbench.datamodules.group_loader import group_loader


@pytest.mark.parametrize("num_workers", [0, 9])
def test_groups_come_in_order_and_draw_nothing(num_workers: int) -> None:
    data = Critters(images_per_class=2, limit_classes=2)
    dataset = data.dataset(Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)), data.specs)
    loader = group_loader(dataset, num_workers=num_workers)
    assert loader.num_workers == min(num_workers, 2)
    before = torch.random.get_rng_state()
    groups = list(loader)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [group.key for group in groups] == [spec.key for spec in data.specs]
    for position, group in enumerate(groups):
        assert torch.equal(group.images, dataset[position].images)


@pytest.mark.parametrize(("device", "pinned"), [(None, False), ("cpu", False), ("mps", False), ("cuda", True)])
def test_memory_is_pinned_for_cuda_alone(device: str | None, pinned: bool) -> None:
    data = Critters(images_per_class=2, limit_classes=2)
    dataset = data.dataset(Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)), data.specs)
    loader = group_loader(dataset, num_workers=0, device=None if device is None else torch.device(device))
    assert loader.pin_memory is pinned
