"""From patches to pixels: nearest upscaling by exact integer arithmetic."""

import torch
from torch import Tensor


def upscale_nearest(patches: Tensor, size: int) -> Tensor:
    """Upscale a patch map to pixels; pixel i belongs to patch floor(i * h / size).

    The index is computed in integers, so a size that is no multiple of the grid has no rounding surprises.

    Args:
        patches: (..., h, w) tensor of any type.
        size: side S of the square image, in pixels.

    Returns:
        (..., S, S) tensor of the same type.

    Raises:
        ValueError: if the size is not positive or the patches have no grid.

    Example:
        >>> upscale_nearest(torch.tensor([[0, 1, 2]]), 4).tolist()[0]
        [0, 0, 1, 2]
    """
    if size < 1:
        raise ValueError(f"size must be a positive number of pixels, found {size}")
    if patches.ndim < 2 or 0 in patches.shape[-2:]:
        raise ValueError(f"patches must end in a grid (height, width), found shape {tuple(patches.shape)}")
    pixels = torch.arange(size, device=patches.device)
    height, width = patches.shape[-2:]
    return patches.index_select(-2, pixels * height // size).index_select(-1, pixels * width // size)
