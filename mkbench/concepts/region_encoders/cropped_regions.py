"""Crops of parts: the bounding box of a part, resized to the size of the model."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.region_encoders.base import EncodedRegions, Regions


class RegionCrops:
    """Parts as images of their own, one forward pass each: what the model says without the rest of the image.

    >>> RegionCrops().prompts
    ()
    """

    prompts: tuple[str, ...] = ()
    needs_patch_values = False

    def require_backbone(self, backbone: Backbone) -> None:
        """Any model will do."""

    def encode(self, regions: Regions, context: GroupContext) -> EncodedRegions:
        """Crop and embed every part."""
        with context.stage("render"):
            crops = crop_regions(context.images, regions.image, regions.pixels)
        with context.stage("encode"):
            return EncodedRegions(context.encode(crops)[:, None])


def crop_regions(images: Tensor, image: Tensor, pixels: Tensor) -> Tensor:
    """Cut out the bounding box of every region and resize it to the size of the images, whatever its shape.

    Args:
        images: (B, 3, S, S) uint8 RGB images.
        image: (P,) int64, the image of every region.
        pixels: (P, S, S) bool, one non-empty region each.

    Returns:
        (P, 3, S, S) uint8, bilinear with antialiasing.

    >>> images = torch.arange(4, dtype=torch.uint8).repeat_interleave(2).expand(1, 3, 8, 8)
    >>> pixels = torch.zeros(1, 8, 8, dtype=torch.bool)
    >>> pixels[0, 2:4, 4:6] = True
    >>> crop_regions(images, torch.tensor([0]), pixels).unique()
    tensor([2], dtype=torch.uint8)
    """
    boxes = torch.stack([*_bounds(pixels.any(dim=2)), *_bounds(pixels.any(dim=1))], dim=1)  # (regions, 4)
    crops = [
        F.interpolate(
            images[index, None, :, top:bottom, left:right].float(),
            size=images.shape[2:],
            mode="bilinear",
            antialias=True,
        )
        for index, (top, bottom, left, right) in zip(image.tolist(), boxes.tolist(), strict=True)
    ]
    return torch.cat(crops).round().clamp(0, 255).to(torch.uint8)


def _bounds(hit: Tensor) -> tuple[Tensor, Tensor]:
    """(P, S) bool -> first place that is hit, and the place after the last, (P,) each."""
    return hit.int().argmax(dim=1), hit.shape[1] - hit.flip(1).int().argmax(dim=1)
