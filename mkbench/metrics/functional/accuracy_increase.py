"""Accuracy increase: top-1 accuracy while blurred parts come back in order of importance."""

from torch import Tensor

from mkbench.metrics.functional.removal_curve import RemovalCurves, Scale, set_mean


def accuracy_increase(curves: RemovalCurves, lengths: Tensor | None = None, *, scale: Scale = "mean") -> float:
    """Area under the top-1 accuracy while the parts of a blurred image come back (AccInc); higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        curves: (B, L + 1) bool or 0/1, is the prediction right after each restored part? Or a list of such curves.
        lengths: (B,) int64 entries of each curve of a batch, parts + 1.
        scale: ``mean`` over the steps, or ``sum`` (trapezoid, step 1), the one to compare with the paper's table.

    Returns:
        Mean over the images: a share in 0..1 (``sum``: 0..L).

    Raises:
        ValueError: without images, for an unknown scale or lengths that do not fit.

    Example:
        >>> accuracy_increase([[False, True, True], [False, False, True]], scale="sum")
        1.0
    """
    return set_mean(curves, lengths, scale=scale)
