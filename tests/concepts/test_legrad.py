from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench import load_backbone
from mkbench.concepts import LeGrad


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_map_is_the_mean_over_blocks_of_their_own_scores(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    """What later blocks make of a block does not count: without the last one the map is that of the first alone."""
    backbone, (images, classes) = load_backbone(f"local-dir:{tiny_model}"), group
    both = LeGrad().saliency_maps(backbone, images, classes)
    with torch.enable_grad():
        trace = backbone.trace_blocks(images)
        alone = []
        for block in trace.blocks:
            embedding = F.normalize(trace.read(block.output[:, 0]), dim=1)
            (slope,) = torch.autograd.grad((embedding * classes).sum(), block.weights)
            alone.append(slope.clamp(min=0).mean(dim=(1, 2))[:, 1:].reshape(-1, 4, 4))
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)
