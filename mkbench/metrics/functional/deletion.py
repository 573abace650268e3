"""Deletion: how fast the class score falls when parts are blurred in order of importance."""

from torch import Tensor

from mkbench.metrics.functional.removal_curve import RemovalCurves, Scale, set_mean


def deletion(curves: RemovalCurves, lengths: Tensor | None = None, *, scale: Scale = "mean") -> float:
    """Area under the class score while the parts are removed one by one; lower is better.

    The paper gives its AUC on an unstated scale (2.4 at five steps). Two scales are offered: ``mean`` over the steps,
    both ends included, and ``sum``, the trapezoid sum with step 1, which is the one to compare with the paper's table.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        curves: (B, L + 1) class scores from the untouched image to all parts removed, or a list of such curves.
        lengths: (B,) int64 entries of each curve of a batch, parts + 1.
        scale: ``mean`` or ``sum``.

    Returns:
        Mean over the images, in the unit of the score (2.5 * cosine; ``sum``: times steps).

    Raises:
        ValueError: without images, for an unknown scale or lengths that do not fit.

    Example:
        >>> deletion([[0.75, 0.5, 0.25]])
        0.5
        >>> deletion([[0.75, 0.5, 0.25]], scale="sum")
        1.0
    """
    return set_mean(curves, lengths, scale=scale)
