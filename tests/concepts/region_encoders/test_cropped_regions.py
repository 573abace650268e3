from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from region_groups import region_context, region_labels, region_pixels

from mkbench import load_backbone
from mkbench.concepts.region_encoders import RegionCrops, embed_parts
from mkbench.concepts.region_encoders.cropped_regions import crop_regions


def crop_by_pillow(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    rows, columns = np.nonzero(mask.numpy())
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    cut = picture.crop((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    resized = cut.resize((mask.shape[1], mask.shape[0]), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1)


def test_crops_are_those_of_pillow() -> None:
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels = torch.zeros(4, 32, 32, dtype=torch.bool)
    pixels[0, 3:9, 5:30] = True
    pixels[1, 20, 7] = pixels[1, 31, 31] = True  # the corners alone
    pixels[2, 0, 31] = True  # one pixel
    pixels[3] = True
    index = torch.tensor([0, 0, 1, 1])
    crops = crop_regions(images, index, pixels)
    expected = torch.stack([crop_by_pillow(images[i], mask) for i, mask in zip(index, pixels, strict=True)])
    assert (crops.int() - expected.int()).abs().max() <= 1  # Pillow rounds after each of the two axes
    assert torch.equal(crops[2], images[1, :, :1, 31:].expand(3, 32, 32))
    assert torch.equal(crops[3], images[1])


def test_a_part_is_its_crop(tiny_model: Path) -> None:
    backbone, pixels = load_backbone(f"local-dir:{tiny_model}"), region_pixels()
    context = region_context(backbone)
    found, boxes = embed_parts(region_labels(), pixels, context, RegionCrops())
    assert boxes == 0
    for image, part in [(0, 0), (0, 1), (0, 2), (2, 1), (3, 2)]:
        crop = crop_by_pillow(context.images[image], pixels[image, part])
        expected = backbone.encode_image(crop[None])[0]
        torch.testing.assert_close(found[image, part], expected / expected.norm(), rtol=0, atol=0.01)
    assert (found[0, 0] - found[0, 1]).abs().max() > 0.05
