"""Clean-up of a patch mask: its one or two largest connected components (step 4 of the pipeline)."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Comparing two label maps stops the device; several propagation steps per comparison hide that.
_STEPS_PER_CHECK = 4


def _first_patch_labels(mask: Tensor) -> Tensor:
    """(B, h, w) bool -> (B, h * w) raster index of the first patch of every patch's component, -1 outside."""
    images, height, width = mask.shape
    patches = height * width
    # The maximum travels, so the earliest patch gets the highest code; background is code 0 and never grows.
    codes = torch.arange(patches, 0, -1, device=mask.device, dtype=torch.float64).reshape(1, height, width) * mask
    settled = False
    while not settled:
        before = codes
        for _ in range(_STEPS_PER_CHECK):
            codes = F.max_pool2d(codes[:, None], kernel_size=3, stride=1, padding=1)[:, 0] * mask
        settled = bool(torch.equal(before, codes))
    labels = patches - codes.long()
    return torch.where(mask, labels, -1).reshape(images, patches)


def largest_components(mask: Tensor, min_second: int = 5) -> Tensor:
    """Keep the largest 8-connected component, and the second largest if it is large enough.

    Components of equal size are ordered by their first patch in raster order: the earlier one is the larger.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, published code.

    Args:
        mask: (B, h, w) bool, True on foreground patches.
        min_second: patches the second largest component needs to stay.

    Returns:
        (B, h, w) bool, a subset of the mask; applying it again changes nothing.

    Raises:
        ValueError: if the mask is not a three-dimensional bool tensor.

    Example:
        >>> mask = torch.tensor([[[1, 1, 0, 0, 1], [0, 1, 0, 0, 0]]], dtype=torch.bool)
        >>> largest_components(mask).int().tolist()
        [[[1, 1, 0, 0, 0], [0, 1, 0, 0, 0]]]
    """
    if mask.ndim != 3 or mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool (images, height, width), found {tuple(mask.shape)} {mask.dtype}")
    if mask.numel() == 0:
        return mask.clone()
    labels = _first_patch_labels(mask)  # (images, patches)
    sizes = torch.zeros_like(labels).scatter_add_(1, labels.clamp(min=0), (labels >= 0).long())
    # max() returns the first maximum, which is the component that starts earlier.
    first = sizes.max(dim=1, keepdim=True).indices  # (images, 1)
    second_size, second = sizes.scatter(1, first, 0).max(dim=1, keepdim=True)
    kept = (labels == first) | ((labels == second) & (second_size >= min_second))
    return kept.reshape(mask.shape)
