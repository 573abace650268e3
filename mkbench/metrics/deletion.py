"""Deletion over a set of images."""

from mkbench.metrics.removal_curve import RemovalMetric


class Deletion(RemovalMetric):
    """Area under the class score while the parts of an image are blurred one by one; lower is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E; the definition is that of
    :func:`mkbench.metrics.functional.deletion`.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1), the one to compare with the
            paper's table.
        columns: the column of curves.

    Example:
        >>> metric = Deletion()
        >>> metric.update([[0.8, 0.4, 0.3]])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = False
    columns = ("deletion_scores",)
