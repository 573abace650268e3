"""Foreground in pixels: nearest upscaling and the dense CRF (steps 4 and 5 of the pipeline)."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from mkbench.concepts.components import largest_components
from mkbench.concepts.permutohedral import permutohedral_filters
from mkbench.concepts.upscale import has_pixels, upscale_nearest

Kernel: TypeAlias = Callable[[Tensor], Tensor]  # of the values of all pixels
Refinement = Literal["none", "components", "crf"]
REFINEMENTS: tuple[Refinement, ...] = ("none", "components", "crf")

_CLIP = 0.99  # the unary probability of the mask's own label; the other label has 1 - 0.99


# Their lattices are sorted before the device is waited for; 6 MB each at 224 pixels.
_IMAGES_AT_ONCE = 8


def _appearance_points(image: Tensor, *, alpha: float, beta: float) -> Tensor:
    """(5, pixels) float32: where the pixels of a (3, H, W) image lie in position and colour, in standard deviations."""
    _, height, width = image.shape
    rows = torch.arange(height, device=image.device)[:, None].expand(height, width)
    columns = torch.arange(width, device=image.device).expand(height, width)
    return torch.cat([torch.stack([rows, columns]) / alpha, image / beta]).flatten(1)


def _gaussian_matrix(side: int, *, variance: float) -> Tensor:
    """(side, side) float32 values of an unnormalised Gaussian of the distance between two places of an axis."""
    places = torch.arange(side, dtype=torch.float64)
    values = torch.exp(-(places[:, None] - places).square() / (2 * variance))
    return torch.where(values > 1e-20, values, 0.0).float()  # numbers below the normal range are slow to multiply


class _SpatialFilter:
    """The smoothness kernel, exact: a Gaussian of position factors into rows and columns."""

    def __init__(self, height: int, width: int, *, gamma: float, device: torch.device) -> None:
        self._rows = _gaussian_matrix(height, variance=gamma**2).to(device)
        self._columns = _gaussian_matrix(width, variance=gamma**2).to(device)

    def __call__(self, values: Tensor) -> Tensor:
        image = values.reshape(-1, self._rows.shape[0], self._columns.shape[0])
        return (self._rows @ image @ self._columns).reshape(values.shape)


def _normalised(kernel: Kernel, like: Tensor) -> Kernel:
    """The kernel K as D^-1/2 K D^-1/2, where the diagonal D holds the row sums of K."""
    scale = kernel(torch.ones_like(like)).clamp(min=1e-20).rsqrt()
    return lambda values: scale * kernel(scale * values)


def refine_crf(
    images: Tensor,
    masks: Tensor,
    *,
    w1: float = 10,
    alpha: float = 40,
    beta: float = 13,
    w2: float = 3,
    gamma: float = 3,
    iterations: int = 5,
) -> Tensor:
    """Refine binary masks by mean field in a fully connected CRF (Kraehenbuehl & Koltun, 2011), batched.

    The energy has the unary probabilities 0.99 / 0.01 of the mask and, with Potts compatibility, the kernel
    w1 exp(-|dp|^2 / 2 alpha^2 - |dI|^2 / 2 beta^2) + w2 exp(-|dp|^2 / 2 gamma^2) of position p and colour I. Each
    kernel is normalised symmetrically (D^-1/2 K D^-1/2) before its weight applies, and a pixel keeps its message to
    itself, as in the usual implementations. The appearance kernel is approximated on a permutohedral lattice, the
    smoothness kernel is exact. Mean field of two labels needs one number per pixel, the log-odds of the foreground.

    Args:
        images: (B, 3, H, W) uint8 RGB images.
        masks: (B, H, W) bool, True on foreground.
        w1: weight of the appearance kernel.
        alpha: its standard deviation in pixels.
        beta: its standard deviation in grey levels.
        w2: weight of the smoothness kernel.
        gamma: its standard deviation in pixels.
        iterations: rounds of mean field.

    Returns:
        (B, H, W) bool: pixels whose foreground probability exceeds 0.5. It may hold pixels outside the mask.

    Raises:
        ValueError: if images and masks do not fit each other, or a standard deviation is not positive.

    Example:
        >>> image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
        >>> image[..., 4:] = 255
        >>> mask = torch.zeros(1, 8, 8, dtype=torch.bool)
        >>> mask[..., 3:] = True
        >>> refine_crf(image, mask)[0, 0].int().tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
    """
    _check_images(images, masks)
    if min(alpha, beta, gamma) <= 0:
        raise ValueError(f"alpha, beta and gamma must be positive, found {alpha}, {beta} and {gamma}")
    height, width = masks.shape[1:]
    spatial = _SpatialFilter(height, width, gamma=gamma, device=images.device)
    spans = ((height - 1) / alpha, (width - 1) / alpha, 255 / beta, 255 / beta, 255 / beta)
    refined = torch.empty_like(masks)
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        some = images[start : start + _IMAGES_AT_ONCE]
        points = (_appearance_points(image, alpha=alpha, beta=beta) for image in some)
        for number, appearance in enumerate(permutohedral_filters(points, spans), start):
            # One image at a time: sums of a larger batch could round in another order.
            odds = _mean_field(masks[number].flatten(), w1, appearance, w2, spatial, iterations=iterations)
            refined[number] = (odds > 0).view(height, width)
    return refined


def _mean_field(mask: Tensor, w1: float, appearance: Kernel, w2: float, spatial: Kernel, *, iterations: int) -> Tensor:
    """(pixels,) bool -> (pixels,) log-odds of the foreground."""
    certainty = math.log(_CLIP / (1 - _CLIP))
    unary = torch.where(mask, certainty, -certainty)  # (pixels,) log-odds
    appearance, smoothness = _normalised(appearance, unary), _normalised(spatial, unary)
    odds = unary
    for _ in range(iterations):
        belief = torch.tanh(odds / 2)  # probability of foreground minus that of background
        odds = unary + w1 * appearance(belief) + w2 * smoothness(belief)
    return odds


def _check_images(images: Tensor, masks: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8 (images, 3, height, width), found {tuple(images.shape)} {images.dtype}")
    if masks.dtype != torch.bool or masks.shape != (images.shape[0], *images.shape[2:]):
        raise ValueError(f"masks must be bool {(images.shape[0], *images.shape[2:])}, found {tuple(masks.shape)}")


class RefinedForeground(NamedTuple):
    """Result of `refine_foreground`: (B, S, S) bool pixels and (B,) bool, True where the CRF left nothing."""

    pixels: Tensor
    fell_back: Tensor


def refine_foreground(
    images: Tensor, mask_patches: Tensor, size: int, mode: Refinement, *, patch_size: int | None = None
) -> RefinedForeground:
    """Refine the foreground to pixels: the three steps of the paper's ladder (nearest, + components, + CRF).

    `none` upscales the patch mask as it is, `components` upscales its cleaned-up version, and `crf` refines that one by
    `refine_crf` with the paper's parameters. A mask that is clean already gives the same pixels with `none` and
    `components`. Where the CRF removes every pixel, the unrefined (cleaned, upscaled) mask is returned.

    Args:
        images: (B, 3, S, S) uint8 RGB images; only `crf` looks at their content.
        mask_patches: (B, h, w) bool foreground patches, before the clean-up.
        size: side S of the images.
        mode: `none`, `components` or `crf`.
        patch_size: side of a patch, in pixels; see `covered_pixels`.

    Returns:
        `RefinedForeground`; `fell_back` is False for masks that were empty before the CRF.

    Raises:
        ValueError: if the mode is unknown or the shapes do not fit.

    Example:
        >>> patches = torch.tensor([[[True, False], [False, False]]])
        >>> image = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
        >>> refine_foreground(image, patches, 4, "none").pixels.sum().item()
        4
    """
    if mode not in REFINEMENTS:
        raise ValueError(f"refine must be one of {', '.join(REFINEMENTS)}, found {mode!r}")
    cleaned = mask_patches if mode == "none" else largest_components(mask_patches)
    pixels = upscale_nearest(cleaned, size, patch_size)  # (images, size, size)
    _check_images(images, pixels)
    if mode != "crf":
        return RefinedForeground(pixels, torch.zeros_like(pixels[:, 0, 0]))
    refined = refine_crf(images, pixels)
    emptied = has_pixels(pixels) & ~has_pixels(refined)
    return RefinedForeground(torch.where(emptied[:, None, None], pixels, refined), emptied)
