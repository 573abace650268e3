"""Foreground: the prominent region of every image of a class group (steps 3 to 5 of the pipeline)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from torch import Tensor

from mkbench.concepts.components import largest_components
from mkbench.concepts.refine import Refinement, refine_foreground
from mkbench.concepts.saliency import Method, Scope, spectral_saliency

Stage = Callable[[str], AbstractContextManager[object]]


def no_stage(name: str) -> AbstractContextManager[object]:
    """A stage hook that observes nothing; a benchmark passes one that measures the time of the stage.

    Args:
        name: `saliency`, `refine`, `partition`, `render`, `encode` or `assign`.

    Returns:
        A context manager around the work of that stage.

    Example:
        >>> with no_stage("render"):
        ...     pass
    """
    return nullcontext(name)


class Foreground(NamedTuple):
    """The prominent region of every image.

    Attributes:
        saliency: (B, h, w) signed, positive on prominent patches.
        patches: (B, h, w) bool after the clean-up; what parts are made of.
        pixels: (B, S, S) bool, refined as asked for.
        fallbacks: `crf_empty`, the number of images where the CRF left nothing.
    """

    saliency: Tensor
    patches: Tensor
    pixels: Tensor
    fallbacks: dict[str, int]


def find_foreground(
    features: Tensor,
    grid: tuple[int, int],
    images: Tensor,
    *,
    scope: Scope = "class",
    method: Method = "spectral",
    refine: Refinement = "crf",
    patch_size: int | None = None,
    stage: Stage = no_stage,
) -> Foreground:
    """Find the prominent patches of a class group and their pixels (steps 3 to 5).

    The patches are always cleaned up. The pixels follow the ladder of `refine_foreground`: `none` is the raw patch mask
    upscaled (of which parts see only the cleaned patches), `components` the cleaned one, `crf` the cleaned one refined.

    Args:
        features: (B, N, C) floating patch features.
        grid: (h, w) with h * w = N.
        images: (B, 3, S, S) uint8 RGB images.
        scope: `class` or `image`, see `spectral_saliency`.
        method: `spectral` or `pca`, see `spectral_saliency`.
        refine: `none`, `components` or `crf`.
        patch_size: side of a patch, in pixels; see `covered_pixels`.
        stage: hook around the stages `saliency` and `refine`.

    Returns:
        `Foreground`; an image may have none.

    Raises:
        ValueError: if features, grid and images do not fit each other, or an option is unknown.

    Example:
        >>> import torch
        >>> features = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
        >>> find_foreground(features, (2, 2), image, refine="components").pixels.sum().item()
        16
    """
    if features.ndim != 3 or features.shape[1] != grid[0] * grid[1] or len(features) != len(images):
        raise ValueError(
            f"features must be (images, {grid[0] * grid[1]}, width) for {len(images)} images and the grid "
            f"{grid[0]} x {grid[1]}, found {tuple(features.shape)}"
        )
    with stage("saliency"):
        saliency = spectral_saliency(features, scope, method).reshape(-1, *grid)  # (images, h, w)
        prominent = saliency > 0
        cleaned = largest_components(prominent)
    with stage("refine"):
        refined = refine_foreground(images, prominent, images.shape[-1], refine, patch_size=patch_size)
    return Foreground(saliency, cleaned, refined.pixels, {"crf_empty": int(refined.fell_back.sum())})
