"""Resizing and normalisation of the images of a model."""

from dataclasses import dataclass
from typing import Literal

INTERPOLATIONS = ("bilinear", "bicubic")
RESIZE_MODES = ("squash", "shortest", "longest")


@dataclass(frozen=True)
class Geometry:
    """Resizing and normalisation that belong to a model's weights.

    Attributes:
        size: side S of the square images, in pixels.
        mean: mean of the red, green and blue channel, on the scale 0 to 1.
        std: standard deviation of the three channels, on the same scale.
        interpolation: ``"bilinear"`` or ``"bicubic"``.
        resize_mode: ``"squash"`` (ignore the aspect ratio), ``"shortest"`` (resize the shorter side, crop the
            centre) or ``"longest"`` (resize the longer side, pad).

    Raises:
        ValueError: for a value outside these.

    >>> Geometry(size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)).resize_mode
    'shortest'
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    resize_mode: Literal["squash", "shortest", "longest"] = "shortest"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"Expected a positive image size, got {self.size}.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"Expected three means and three positive deviations, got {self.mean} and {self.std}.")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"Expected an interpolation of {INTERPOLATIONS}, got {self.interpolation!r}.")
        if self.resize_mode not in RESIZE_MODES:
            raise ValueError(f"Expected a resize mode of {RESIZE_MODES}, got {self.resize_mode!r}.")
