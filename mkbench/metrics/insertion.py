"""Insertion over a set of images."""

from mkbench.metrics.removal_curve import RemovalMetric


class Insertion(RemovalMetric):
    """Area under the class score while the parts of a blurred image come back one by one; higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E; the definition is that of
    :func:`mkbench.metrics.functional.insertion`.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1), the one to compare with the
            paper's table.
        columns: the column of curves.

    Example:
        >>> metric = Insertion()
        >>> metric.update([[0.25, 0.5, 0.75]])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("insertion_scores",)
