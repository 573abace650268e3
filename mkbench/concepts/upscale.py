"""Nearest upscaling from patches to pixels, and which pixels the patches cover."""

import torch
from torch import Tensor


def covered_pixels(size: int, patches: int) -> int:
    """Return how many pixels of a side the patches cover: the most that give each of them the same whole number.

    A model reads an image from the first pixel on, patch by patch, and leaves out the pixels that fill no further one:
    27 patches of 14 pixels cover 378 of 384. (Where more pixels are left over than there are patches, a larger patch
    would fit too and is taken; no published model is of that kind.)

    Args:
        size: side S of the image, in pixels.
        patches: how many patches lie along it.

    Raises:
        ValueError: if there is less than a pixel for a patch.

    Example:
        >>> covered_pixels(384, 27), covered_pixels(224, 16)
        (378, 224)
    """
    if not 1 <= patches <= size:
        raise ValueError(f"size must be at least a pixel for each of the {patches} patches, found {size}")
    return size // patches * patches


def upscale_nearest(patches: Tensor, size: int) -> Tensor:
    """Upscale a patch map to pixels: patch i covers P pixels from i * P on, and what no patch covers is background.

    Args:
        patches: (..., h, w) tensor of any type.
        size: side S of the square image, in pixels; see `covered_pixels` for P.

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
    height, width = (covered_pixels(size, side) for side in patches.shape[-2:])
    rows = torch.arange(height, device=patches.device) // (size // patches.shape[-2])
    columns = torch.arange(width, device=patches.device) // (size // patches.shape[-1])
    pixels[..., :height, :width] = patches.index_select(-2, rows).index_select(-1, columns)
    return pixels
