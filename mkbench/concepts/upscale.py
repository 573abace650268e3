"""Nearest upscaling from patches to pixels, which pixels the patches cover, and which masks have any."""

import torch
from torch import Tensor


def covered_pixels(size: int, patches: int, patch_size: int | None = None) -> int:
    """Return how many pixels of a side the patches cover.

    A model reads an image from the first pixel on, patch by patch, and leaves out the pixels that fill no further one:
    27 patches of 14 pixels cover 378 of 384.

    Args:
        size: side S of the image, in pixels.
        patches: how many patches lie along it.
        patch_size: side P of a patch, in pixels, ``backbone.patch_size``; None: the largest that fits so often.

    Raises:
        ValueError: if there is less than a pixel for a patch.

    Example:
        >>> covered_pixels(384, 27), covered_pixels(224, 16)
        (378, 224)
        >>> covered_pixels(240, 7, 32), covered_pixels(240, 8, 32)  # the eighth is cut off by the edge
        (224, 240)
    """
    if not 1 <= patches <= size:
        raise ValueError(f"size must be at least a pixel for each of the {patches} patches, found {size}")
    if patch_size is not None and patch_size < 1:
        raise ValueError(f"patch_size must be at least 1, found {patch_size}")
    return min(size, patches * (patch_size or size // patches))


def clear_uncovered(masks: Tensor, grid: tuple[int, int], patch_size: int | None = None) -> Tensor:
    """Return masks (..., S, S) that hold no pixel which no patch covers: what a model cannot see is background.

    Example:
        >>> clear_uncovered(torch.ones(1, 5, 5, dtype=torch.bool), (2, 2)).sum().item()
        16
    """
    height, width = (covered_pixels(masks.shape[-1], side, patch_size) for side in grid)
    cleared = torch.zeros_like(masks)
    cleared[..., :height, :width] = masks[..., :height, :width]
    return cleared


def upscale_nearest(patches: Tensor, size: int, patch_size: int | None = None) -> Tensor:
    """Upscale a patch map to pixels: patch i covers P pixels from i * P on, and what no patch covers is background.

    Args:
        patches: (..., h, w) tensor of any type.
        size: side S of the square image, in pixels.
        patch_size: side P of a patch; see `covered_pixels`.

    Returns:
        (..., S, S) tensor of the same type; 0 (False) on the background.

    Raises:
        ValueError: if there is less than a pixel for a patch, or the patches have no grid.

    Example:
        >>> upscale_nearest(torch.tensor([[1, 2]]), 5).tolist()[0]
        [1, 1, 2, 2, 0]
    """
    if patches.ndim < 2 or 0 in patches.shape[-2:]:
        raise ValueError(f"patches must end in a grid (height, width), found shape {tuple(patches.shape)}")
    pixels = patches.new_zeros(*patches.shape[:-2], size, size)
    height, width = (covered_pixels(size, side, patch_size) for side in patches.shape[-2:])
    rows = torch.arange(height, device=patches.device) // (patch_size or size // patches.shape[-2])
    columns = torch.arange(width, device=patches.device) // (patch_size or size // patches.shape[-1])
    pixels[..., :height, :width] = patches.index_select(-2, rows).index_select(-1, columns)
    return pixels


def has_pixels(masks: Tensor) -> Tensor:
    """Return (...) bool: which of the masks (..., S, S), S > 0, hold a pixel.

    Example:
        >>> has_pixels(torch.eye(2, dtype=torch.bool)[None, :, :, None]).tolist()
        [[True, True]]
    """
    return masks.view(torch.uint8).flatten(-2).amax(dim=-1).bool()  # on the CPU `any` takes 50 times as long
