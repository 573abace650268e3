"""Accuracy increase over a set of images."""

from mkbench.metrics.removal_curve import RemovalMetric


class AccuracyIncrease(RemovalMetric):
    """Area under the top-1 accuracy while the parts of a blurred image come back (AccInc); higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E; the definition is that of
    :func:`mkbench.metrics.functional.accuracy_increase`.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1), the one to compare with the
            paper's table.
        columns: the column of curves.

    Example:
        >>> metric = AccuracyIncrease()
        >>> metric.update([[False, True], [True, True]])
        >>> metric.compute()
        tensor(0.7500, dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("insertion_correct",)
