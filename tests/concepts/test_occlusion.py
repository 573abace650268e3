from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.concepts import Occlusion, blur


def reference(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
    """One patch after the other, by slices."""
    side = image.shape[-1] // backbone.grid[0]
    blurred = blur(image[None])[0]

    def score(pixels: Tensor) -> Tensor:
        embedding = backbone.encode_image(pixels[None])[0]
        return embedding @ class_embedding / embedding.norm()

    drops = torch.zeros(backbone.grid)
    for row in range(backbone.grid[0]):
        for column in range(backbone.grid[1]):
            square = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
            changed = image.clone()
            changed[(slice(None), *square)] = blurred[(slice(None), *square)]
            drops[row, column] = score(image) - score(changed)
    return drops


@pytest.mark.parametrize("chunk", [7, 64])
def test_a_group_is_its_images_by_the_reference(tiny_model: Path, chunk: int) -> None:
    torch.manual_seed(0)
    images, classes = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(3, 32), dim=1)
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = Occlusion(chunk).saliency_maps(backbone, images, classes)
    expected = torch.stack([reference(backbone, *pair) for pair in zip(images, classes, strict=True)])
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-6)


def test_any_model_is_mapped_and_a_flat_image_has_no_drop() -> None:
    image = torch.full((1, 3, 16, 16), 90, dtype=torch.uint8)
    maps = Occlusion().saliency_maps(ColourBackbone(), image, F.normalize(torch.ones(1, 8), dim=1))
    assert maps.tolist() == [[[0.0] * 4] * 4]


def test_a_chunk_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk must be at least 1, found 0"):
        Occlusion(0)
