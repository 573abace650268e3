"""How many concepts an image has, and how many of them the text encoder shares, over a set of images."""

from torch import Tensor

from mkbench.metrics.row_metric import MeanMetric, Rows, numbers


class ConceptCount(MeanMetric):
    """Mean number N of different vision concepts of an image.

    Mutual information grows with N whatever the concepts are, so it is shown beside.

    Example:
        >>> metric = ConceptCount()
        >>> metric.update([[True, False], [True], []])
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    columns = ("hits",)

    def image_values(self, rows: Rows) -> Tensor:
        """Return the numbers of concepts, (n,) float64."""
        return numbers([None if hits is None else len(hits) for hits in rows[self.columns[0]]])

    def update(self, hits: list[list[bool]]) -> None:
        """Add images by which of their vision concepts are language concepts of the class."""
        self.add(self.image_values({self.columns[0]: hits}))


class HitShare(MeanMetric):
    """Mean share K / N of an image's vision concepts that are language concepts of its class, 0..1.

    An image without concepts has no value.

    Example:
        >>> metric = HitShare()
        >>> metric.update([[True, False], [True], []])
        >>> metric.compute()
        tensor(0.7500, dtype=torch.float64)
    """

    columns = ("hits",)

    def image_values(self, rows: Rows) -> Tensor:
        """Return the shares, (n,) float64."""
        return numbers([sum(hits) / len(hits) if hits else None for hits in rows[self.columns[0]]])

    def update(self, hits: list[list[bool]]) -> None:
        """Add images by which of their vision concepts are language concepts of the class."""
        self.add(self.image_values({self.columns[0]: hits}))
