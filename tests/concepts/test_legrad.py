from __future__ import annotations

from pathlib import Path

import pytest
import torch
from saliency_references import legrad
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts import LeGrad
from mkbench.errors import BackboneError, UsageError


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_group_is_its_images_by_the_reference(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = LeGrad().saliency_maps(backbone, *group)
    expected = torch.stack([legrad(backbone, *pair) for pair in zip(*group, strict=True)])
    assert expected.max() > 1e-4
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-7)
    assert not maps.requires_grad


@pytest.mark.slow
def test_a_large_tower_is_the_reference_to_five_digits() -> None:
    torch.manual_seed(0)
    backbone = load_backbone("ViT-B-16", random_weights=True)
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    classes = F.normalize(torch.randn(1, 512), dim=1)
    maps = LeGrad().saliency_maps(backbone, image, classes)
    expected = legrad(backbone, image[0], classes[0])
    torch.testing.assert_close(maps[0] / expected.max(), expected / expected.max(), rtol=0, atol=1e-5)


def test_inference_mode_changes_nothing(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    expected = LeGrad().saliency_maps(backbone, *group)
    with torch.inference_mode():
        images, classes = (tensor.clone() for tensor in group)  # as a run makes them: inference tensors
        maps = LeGrad().saliency_maps(backbone, images, classes)
    torch.testing.assert_close(maps, expected)  # kernels may differ with the mode


def test_models_without_attention_are_refused() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        LeGrad().saliency_maps(ColourBackbone(), images, torch.ones(1, 8))


def test_half_precision_is_refused(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}").to(torch.bfloat16)
    with pytest.raises(UsageError, match="found bfloat16"):
        LeGrad().saliency_maps(backbone, *group)


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
