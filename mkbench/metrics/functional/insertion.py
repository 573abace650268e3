"""Insertion: how fast the class score rises when blurred parts come back in order of importance."""

from torch import Tensor

from mkbench.metrics.functional.removal_curve import RemovalCurves, Scale, set_mean


def insertion(curves: RemovalCurves, lengths: Tensor | None = None, *, scale: Scale = "mean") -> float:
    """Area under the class score while the parts of a blurred image come back one by one; higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        curves: (B, L + 1) class scores from the blurred image to all parts restored, or a list of such curves.
        lengths: (B,) int64 entries of each curve of a batch, parts + 1.
        scale: ``mean`` over the steps, or ``sum`` (trapezoid, step 1), the one to compare with the paper's table.

    Returns:
        Mean over the images, in the unit of the score (2.5 * cosine; ``sum``: times steps).

    Raises:
        ValueError: without images, for an unknown scale or lengths that do not fit.

    Example:
        >>> insertion([[0.25, 0.5, 0.75]])
        0.5
    """
    return set_mean(curves, lengths, scale=scale)
