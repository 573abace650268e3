"""Accuracy drop over a set of images."""

from mkbench.metrics.removal_curve import RemovalMetric


class AccuracyDrop(RemovalMetric):
    """Area under the top-1 accuracy while the parts of an image are blurred one by one (AccDrop); lower is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E; the definition is that of
    :func:`mkbench.metrics.functional.accuracy_drop`.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1), the one to compare with the
            paper's table.
        columns: the column of curves.

    Example:
        >>> metric = AccuracyDrop()
        >>> metric.update([[True, True, False, False], [True, False, False, False]])
        >>> metric.compute()
        tensor(0.3750, dtype=torch.float64)
    """

    higher_is_better = False
    columns = ("deletion_correct",)
