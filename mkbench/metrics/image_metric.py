"""Base class of a user's own metric: the mean over images of one number of each."""

from torch import Tensor

from mkbench.errors import UsageError
from mkbench.metrics.row_metric import MeanMetric, Rows, numbers


class ImageMetric(MeanMetric):
    """Mean over images of a number read from the rows of a run.

    As it is, the number is the only column. One's own metric is a subclass that says its name, its columns and which
    way is better, and computes another number from them; a configuration names it under ``metrics`` of the model by its
    ``class_path``, and it appears in ``results.json``, in tables and in the loggers.

    Args:
        columns: the columns that it reads; None: those of its class.

    Example:
        >>> class ConceptCount(ImageMetric):
        ...     name, columns, higher_is_better = "named_concepts", ("descriptor_ids",), None
        ...     heading, decimals = "concepts", 1
        ...
        ...     def image_values(self, rows):
        ...         return numbers([len(ids) for ids in rows["descriptor_ids"]])
        >>> metric = ConceptCount()
        >>> metric.update({"descriptor_ids": [[4, 7, 9], [2]]})
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    higher_is_better: bool | None = None

    #: What the metric is called in results and configurations.
    name: str = ""
    #: Heading of its column; empty: its name.
    heading: str = ""
    #: Unit of the printed value.
    unit: str = ""
    #: Digits of the printed value after the point.
    decimals: int = 3
    #: Factor of the printed value; 100 for percent.
    scale: float = 1.0
    #: Whether it is the same for every explainer, and reported once, of the model.
    of_model: bool = False

    def image_values(self, rows: Rows) -> Tensor:
        """Return (n,) numbers, NaN for images that have none.

        Raises:
            UsageError: the metric does not say which single column it reads.
        """
        if len(self.columns) != 1:
            raise UsageError(
                f"Expected {type(self).__name__} to read one column or to have an image_values of its own, found the "
                f"columns {list(self.columns)}; correct the class."
            )
        return numbers(rows[self.columns[0]])

    def update_rows(self, rows: Rows) -> Tensor:
        """Add images by their rows.

        Raises:
            UsageError: ``image_values`` gives something else than one number for each image.
        """
        images = len(rows[self.columns[0]])
        values = super().update_rows(rows)
        if len(values) != images or values.numel() != images * self.width:
            raise UsageError(
                f"Expected image_values of {type(self).__name__} to return {images} numbers, one for each image, found "
                f"the shape {tuple(values.shape)}; correct the class."
            )
        return values

    def update(self, rows: Rows) -> None:
        """Add images by their rows.

        Args:
            rows: column -> one value for each image, at least the columns that the metric reads.
        """
        self.add(self.image_values(rows))
