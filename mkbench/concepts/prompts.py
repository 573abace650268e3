"""Region prompts: a red ring around a part, the rest of the image kept, grey or blurred (step 7 of the pipeline)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.concepts.ellipse import fit_ellipse_or_box
from mkbench.concepts.host_copies import copy_to

# Gaussian of 11 taps with sigma 2.0, in 256ths; rounded so that they sum to 256, as OpenCV's exact 8-bit filter does.
_BLUR_WEIGHTS = (2, 7, 17, 31, 45, 52, 45, 31, 17, 7, 2)
# ITU-R 601 luma in 32768ths: 0.299, 0.587 and 0.114.
_LUMA_WEIGHTS = (9798, 19235, 3735)


def _require_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8 (images, 3, height, width), found {tuple(images.shape)} {images.dtype}")


def _mirrored(length: int, reach: int, device: torch.device) -> Tensor:
    """Index of the padded axis: mirrored at the border without repeating it, as often as a short axis needs."""
    period = max(1, 2 * (length - 1))
    places = torch.arange(-reach, length + reach, device=device).remainder(period)
    return torch.minimum(places, period - places)


def _blur_axis(values: Tensor, axis: int) -> Tensor:
    """Weighted sum of the shifted images along one axis, in int32: exact on every device."""
    length, reach = values.shape[axis], len(_BLUR_WEIGHTS) // 2
    padded = values.index_select(axis, _mirrored(length, reach, values.device))
    total = padded.narrow(axis, reach, length) * _BLUR_WEIGHTS[reach]
    for offset in range(reach):
        total += _BLUR_WEIGHTS[offset] * padded.narrow(axis, offset, length)
        total += _BLUR_WEIGHTS[offset] * padded.narrow(axis, 2 * reach - offset, length)
    return total


def blur(images: Tensor) -> Tensor:
    """Gaussian blur of 11 x 11 pixels, sigma 2.0, mirrored border; equal to OpenCV's to the last bit.

    Args:
        images: (B, 3, H, W) uint8 RGB images.

    Returns:
        (B, 3, H, W) uint8.

    Raises:
        ValueError: if the images are not (B, 3, H, W) uint8.

    Example:
        >>> blur(torch.full((1, 3, 4, 4), 200, dtype=torch.uint8)).unique().tolist()
        [200]
    """
    _require_images(images)
    return _blur_by_opencv(images) if images.device.type == "cpu" else _blur_in_integers(images)


def _blur_by_opencv(images: Tensor) -> Tensor:
    """Plane by plane; in a seventh of the time of the integers."""
    planes = images.detach().reshape(-1, *images.shape[2:]).numpy()
    blurred = np.empty_like(planes)
    for plane, result in zip(planes, blurred, strict=True):
        result[:] = cv2.GaussianBlur(plane, (11, 11), 2.0, borderType=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(blurred).reshape(images.shape)


def _blur_in_integers(images: Tensor) -> Tensor:
    total = _blur_axis(_blur_axis(images.int(), 3), 2)  # in 65536ths of a level
    return ((total + (1 << 15)) >> 16).to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> luma in all three channels, rounded as OpenCV rounds it."""
    weights = torch.tensor(_LUMA_WEIGHTS, dtype=torch.int32, device=images.device)[:, None, None]
    luma = (images.int() * weights).sum(dim=1, keepdim=True, dtype=torch.int32)  # (images, 1, height, width)
    return ((luma + (1 << 14)) >> 15).to(torch.uint8).expand_as(images)


def _same(images: Tensor) -> Tensor:
    return images


# What is shown outside the ellipse, by the name of the prompt.
_SURROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {"ring": _same, "grey": _grey, "blur": blur}
PROMPTS = tuple(_SURROUNDINGS)


class PromptedRegions(NamedTuple):
    """Images of P regions: pixels (P, prompts, 3, H, W) uint8, and how many rings come from a bounding box."""

    pixels: Tensor
    contour_fallbacks: int


class Rings(NamedTuple):
    """Rings of P regions: planes (P, 2, H, W) uint8, the line and its inside; and how many come from a bounding box."""

    planes: Tensor
    contour_fallbacks: int


def draw_rings(masks: NDArray[Any]) -> Rings:
    """Draw the ring of every region and its inside, one after the other.

    It works on the CPU alone and lets other threads run meanwhile, so that an encoder need not wait for it.

    Args:
        masks: (P, H, W) bool, one non-empty region each.

    Returns:
        `Rings`, on the CPU.

    Raises:
        ValueError: if a region is empty.

    Example:
        >>> draw_rings(np.ones((1, 8, 8), dtype=bool)).planes.shape
        torch.Size([1, 2, 8, 8])
    """
    planes, boxes = np.zeros((len(masks), 2, *masks.shape[1:]), dtype=np.uint8), 0
    for (ring, inside), mask in zip(planes, masks, strict=True):
        ellipse, is_box = fit_ellipse_or_box(mask)
        box = ((ellipse.cx, ellipse.cy), (ellipse.width, ellipse.height), ellipse.angle)
        cv2.ellipse(ring, box, 1, thickness=1)
        cv2.ellipse(inside, box, 1, thickness=-1)
        boxes += is_box
    return Rings(torch.from_numpy(planes), boxes)


def compose_prompts(images: Tensor, rings: Rings, image_index: Tensor, *, prompts: Sequence[str] = PROMPTS) -> Tensor:
    """Put images and rings together, on the device of the images.

    Args:
        images: (B, 3, H, W) uint8 RGB images.
        rings: of P regions, from `draw_rings`.
        image_index: (P,) int64, the image of every region.
        prompts: see `render_prompts_batch`.

    Returns:
        (P, prompts, 3, H, W) uint8.

    Example:
        >>> rings = draw_rings(np.ones((1, 8, 8), dtype=bool))
        >>> compose_prompts(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), rings, torch.tensor([0])).shape
        torch.Size([1, 3, 3, 8, 8])
    """
    # All bits of a byte where a plane is drawn, none elsewhere: bytes are put together by bits much faster than chosen.
    masks = copy_to(rings.planes, images.device).neg()
    ring, inside = masks[:, None, :1], masks[:, None, 1:]  # (regions, 1, 1, height, width)
    surroundings = torch.stack([_SURROUNDINGS[name](images) for name in prompts], dim=1)
    pixels = surroundings.index_select(0, image_index)  # the result; the rest is written into it
    pixels ^= (images.index_select(0, image_index)[:, None] ^ pixels).bitwise_and_(inside)
    pixels[:, :, :1] |= ring  # red: its first channel full, the others empty
    pixels[:, :, 1:] &= ~ring
    return pixels


def _check_regions(images: Tensor, masks: Tensor, image_index: Tensor, prompts: Sequence[str]) -> None:
    _require_images(images)
    if masks.ndim != 3 or masks.dtype != torch.bool or masks.shape[1:] != images.shape[2:]:
        raise ValueError(f"masks must be bool (regions, {images.shape[2]}, {images.shape[3]}), found {masks.shape}")
    if image_index.shape != masks.shape[:1] or image_index.dtype != torch.int64:
        raise ValueError(f"image_index must be int64 ({len(masks)},), found {image_index.shape} {image_index.dtype}")
    if image_index.numel() and not 0 <= int(image_index.min()) <= int(image_index.max()) < len(images):
        raise ValueError(f"image_index must lie in 0..{len(images) - 1}, found {image_index.tolist()}")
    require_prompts(prompts)


def require_prompts(prompts: Sequence[str]) -> None:
    """Refuse an empty list of prompts and unknown names.

    Args:
        prompts: names out of `ring`, `grey` and `blur`.

    Raises:
        ValueError: if the list is empty or holds another name.

    Example:
        >>> require_prompts(("ring", "blur"))
    """
    if not prompts or not set(prompts) <= set(_SURROUNDINGS):
        raise ValueError(f"prompts must be one or more of {', '.join(PROMPTS)}, found {tuple(prompts)}")


def render_prompts_batch(
    images: Tensor, masks: Tensor, image_index: Tensor, *, prompts: Sequence[str] = PROMPTS
) -> PromptedRegions:
    """Render the prompted images of many regions.

    Contour, ellipse and its two rasters come from OpenCV region by region; the surroundings are made once per image and
    everything is put together in one batch on the device of the images.

    Args:
        images: (B, 3, H, W) uint8 RGB images.
        masks: (P, H, W) bool, one non-empty region each.
        image_index: (P,) int64, the image of every region.
        prompts: which images, in this order: `ring`, `grey` (ring and grey outside), `blur` (ring and blur outside).

    Returns:
        `PromptedRegions`.

    Raises:
        ValueError: if shapes and types do not fit, a region is empty or a prompt is unknown.

    Example:
        >>> image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
        >>> mask = torch.zeros(2, 8, 8, dtype=torch.bool)
        >>> mask[:, 2:6, 2:6] = True
        >>> render_prompts_batch(image, mask, torch.tensor([0, 0]), prompts=("ring",)).pixels.shape
        torch.Size([2, 1, 3, 8, 8])
    """
    _check_regions(images, masks, image_index, prompts)
    if not len(masks):
        return PromptedRegions(images.new_zeros(0, len(prompts), *images.shape[1:]), 0)
    rings = draw_rings(masks.cpu().numpy())
    return PromptedRegions(compose_prompts(images, rings, image_index, prompts=prompts), rings.contour_fallbacks)


def render_prompts(image: Tensor, mask: Tensor) -> Tensor:
    """Render the three prompted images of one region: red ring, ring on grey, ring on blur.

    The ring is pure red, one pixel thick, and drawn last. Grey is the ITU-R 601 luma, blur is `blur`; both
    change only what lies outside the ellipse.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, after Shtedritski et al., ICCV 2023.

    Args:
        image: (3, H, W) uint8 RGB image.
        mask: (H, W) bool, the region; not empty.

    Returns:
        (3, 3, H, W) uint8: prompts, channels, height, width.

    Raises:
        ValueError: if shapes and types do not fit, or the region is empty.

    Example:
        >>> mask = torch.zeros(9, 9, dtype=torch.bool)
        >>> mask[3:6, 3:6] = True
        >>> render_prompts(torch.zeros(3, 9, 9, dtype=torch.uint8), mask)[0, 0].count_nonzero().item() > 0
        True
    """
    index = torch.zeros(1, dtype=torch.int64, device=image.device)
    return render_prompts_batch(image[None], mask[None], index).pixels[0]
