"""Ellipse of a region: least squares through its largest external contour (step 7 of the pipeline)."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_FEWEST_POINTS = 5  # an ellipse has five parameters
_THINNEST_AXIS = 0.5  # pixels; points on one line fit any such ellipse, its length is rounding noise
_LONGEST_AXIS = 2.0  # image diagonals


class Ellipse(NamedTuple):
    """An ellipse in pixel coordinates: centre, full lengths of both axes, and their clockwise turn in degrees."""

    cx: float
    cy: float
    width: float
    height: float
    angle: float


def _largest_contour(mask: NDArray[np.uint8]) -> NDArray[Any]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        raise ValueError("mask must have at least one foreground pixel, found none")
    # max() keeps the first of equals; lines and single pixels enclose no area, there the number of points decides.
    areas = [cv2.contourArea(contour) for contour in contours]
    sizes = areas if max(areas) > 0 else [float(len(contour)) for contour in contours]
    return np.asarray(contours[sizes.index(max(sizes))])


def _is_usable(ellipse: Ellipse, diagonal: float) -> bool:
    axes = (ellipse.width, ellipse.height)
    return all(map(math.isfinite, ellipse)) and min(axes) >= _THINNEST_AXIS and max(axes) <= _LONGEST_AXIS * diagonal


def fit_ellipse_or_box(mask: Tensor | NDArray[Any]) -> tuple[Ellipse, bool]:
    """`fit_ellipse`, together with whether the bounding box had to stand in for the fit.

    Args:
        mask: (H, W) bool tensor or array, True inside the region.

    Returns:
        The ellipse, and True if it is the one inscribed in the contour's bounding box.

    Raises:
        ValueError: if the mask is empty or not (H, W) bool.

    Example:
        >>> mask = np.zeros((6, 6), dtype=bool)
        >>> mask[2:4, 1:3] = True  # a contour of four points
        >>> fit_ellipse_or_box(mask)
        (Ellipse(cx=1.5, cy=2.5, width=2.0, height=2.0, angle=0.0), True)
    """
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
    if array.ndim != 2 or array.dtype != np.bool_:
        raise ValueError(f"mask must be bool (height, width), found {array.shape} {array.dtype}")
    contour = _largest_contour(array.astype(np.uint8))
    if len(contour) >= _FEWEST_POINTS:
        centre, axes, angle = cv2.fitEllipse(contour)
        ellipse = Ellipse(*map(float, (*centre, *axes, angle)))
        if _is_usable(ellipse, math.hypot(*array.shape)):
            return ellipse, False
    left, top, width, height = map(float, cv2.boundingRect(contour))
    return Ellipse(left + (width - 1) / 2, top + (height - 1) / 2, width, height, 0.0), True


def fit_ellipse(mask: Tensor | NDArray[Any]) -> Ellipse:
    """Fit an ellipse by least squares through all points of the largest external contour of a region.

    The largest contour encloses the largest area (the first of equals in OpenCV's order; if none encloses any, the one
    with the most points); holes do not count. A contour with fewer than five points, or a fit without meaning (not
    finite, an axis below half a pixel or above twice the image's diagonal, as for points on a line), gives the
    ellipse inscribed in the contour's bounding box.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, after Shtedritski et al., ICCV 2023.

    Args:
        mask: (H, W) bool tensor or array, True inside the region.

    Returns:
        `(cx, cy, width, height, angle)` in pixels and degrees, pixel centres at whole numbers, as OpenCV draws them.

    Raises:
        ValueError: if the mask is empty or not (H, W) bool.

    Example:
        >>> y, x = np.mgrid[:41, :61]
        >>> ellipse = fit_ellipse(((x - 30) / 20) ** 2 + ((y - 20) / 10) ** 2 <= 1)
        >>> round(ellipse.cx), round(ellipse.cy), round(max(ellipse.width, ellipse.height))
        (30, 20, 40)
    """
    return fit_ellipse_or_box(mask)[0]
