from __future__ import annotations

from pathlib import Path

import pytest
import torch
from saliency_references import clip_surgery
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts import ClipSurgery
from mkbench.errors import BackboneError

OWN = [2, 0, 6, 2, 1]


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    """Five images and seven classes."""
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(7, 32), dim=1)


@pytest.mark.parametrize("blocks", [1, 2, 6])
def test_a_group_is_its_images_by_the_reference(tiny_model: Path, group: tuple[Tensor, Tensor], blocks: int) -> None:
    backbone, (images, classes) = load_backbone(f"local-dir:{tiny_model}"), group
    maps = ClipSurgery(blocks).contrastive_maps(backbone, images, classes[OWN], classes)
    pairs = zip(images, OWN, strict=True)
    expected = torch.stack([clip_surgery(backbone, image, own, classes, blocks) for image, own in pairs])
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_large_tower_is_the_reference_to_five_digits() -> None:
    torch.manual_seed(0)
    backbone = load_backbone("ViT-B-16", random_weights=True)
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    classes = F.normalize(torch.randn(4, 512), dim=1)
    maps = ClipSurgery().contrastive_maps(backbone, image, classes[:1], classes)
    torch.testing.assert_close(maps[0], clip_surgery(backbone, image[0], 0, classes), rtol=0, atol=1e-5)


def test_what_all_classes_share_leaves_nothing_of_a_single_class(
    tiny_model: Path, group: tuple[Tensor, Tensor]
) -> None:
    backbone, (images, classes) = load_backbone(f"local-dir:{tiny_model}"), group
    maps = ClipSurgery().contrastive_maps(backbone, images, classes[:1].expand(5, -1), classes[:1])
    torch.testing.assert_close(maps, torch.zeros(5, 4, 4), rtol=0, atol=1e-6)


def test_models_without_attention_are_refused() -> None:
    images, classes = torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.eye(8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        ClipSurgery().contrastive_maps(ColourBackbone(), images, classes[:1], classes)


def test_a_number_of_blocks_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks must be at least 1, found 0"):
        ClipSurgery(0)
