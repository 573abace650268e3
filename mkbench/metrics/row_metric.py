"""Metrics read from the rows of a run: one value for each image, reduced over images and devices."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.bootstrap import bootstrap_means, quantile_interval

#: Column -> its values, one for each image (or attention head) in the same order.
Rows = Mapping[str, Sequence[Any]]


class RowMetric(Metric):
    """Base of all metrics of the catalogue: what they read, their value for each image, and their interval.

    Args:
        columns: the columns that it reads; None: those of its class.
    """

    is_differentiable = False
    full_state_update = False

    #: The columns of the rows that it reads.
    columns: tuple[str, ...] = ()

    def __init__(self, *, columns: Sequence[str] | None = None) -> None:
        super().__init__()
        if columns is not None:
            self.columns = tuple(columns)

    @abstractmethod
    def image_values(self, rows: Rows) -> Tensor:
        """Return a number for each image, (n,) or (n, width); NaN for images that have none."""

    @abstractmethod
    def update_rows(self, rows: Rows) -> Tensor:
        """Add images by their rows.

        Args:
            rows: its columns.

        Returns:
            What ``image_values`` gives for them.
        """

    @abstractmethod
    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return the 95 % interval of the metric over images drawn with replacement; None where there is none.

        Args:
            values: (n,) or (n, width), at least one, without NaN, in canonical order.
            rows: the columns that they were read from.
        """

    def keep_alone(self) -> None:
        """Never reduce over devices: this process has the rows of all of them, and others do not take part."""
        self.distributed_available_fn = _never_distributed

    def _mark_updated(self) -> None:
        """Do what torchmetrics itself does around ``update``: the value of the last ``compute`` is out of date."""
        self._update_count += 1
        self._computed = None


def _never_distributed() -> bool:
    return False


class MeanMetric(RowMetric):
    """Base of metrics that follow from means over images; subclasses say of what.

    The states have a fixed shape, so a process without images takes part in the reduction like any other.

    Args:
        columns: the columns that it reads; None: those of its class.
    """

    #: How many numbers of each image are averaged.
    width = 1

    total: Tensor
    images: Tensor

    def __init__(self, *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        self.add_state("total", torch.zeros(self.width, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def reduce(self, means: Tensor) -> Tensor:
        """Return the metric, (...), of means over images, (..., width); here the mean itself."""
        return means[..., 0]

    def paired_values(self, rows: Rows, control: RowMetric, control_rows: Rows) -> tuple[Tensor, Tensor]:
        """Return numbers of the same images by this metric and by another, such that they may be subtracted.

        Args:
            rows: its columns.
            control: the other metric.
            control_rows: the columns of the other, of the same images in the same order.
        """
        return self.image_values(rows), control.image_values(control_rows)

    def add(self, values: Tensor) -> None:
        """Add images.

        Args:
            values: (B,) or (B, width); an image with NaN does not count.
        """
        known = values[has_value(values)].to(self.total)
        self.total += known.reshape(len(known), self.width).sum(dim=0)
        self.images += len(known)

    def update_rows(self, rows: Rows) -> Tensor:
        """Add images by their rows; returns what ``image_values`` gives for them."""
        values = self.image_values(rows)
        self.add(values)
        self._mark_updated()
        return values

    def compute(self) -> Tensor:
        """The metric, float64; NaN without images."""
        return self.reduce(self.total / self.images)

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return the percentile bootstrap interval over images; see ``RowMetric.interval``."""
        return quantile_interval(self.reduce(bootstrap_means(values.reshape(len(values), self.width))))

    def paired_interval(self, own: Tensor, other: Tensor) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the difference of two explanations of the same images.

        Args:
            own: (n,) or (n, width) values without NaN.
            other: those of the other, of the same images in the same order.

        Returns:
            Its ends, over the resamples that have a value; NaN where none has, as the correlation of equal numbers.
        """
        own, other = (values.reshape(len(values), self.width) for values in (own, other))
        if self.width == 1:  # differences image by image: where both are equal, exactly 0
            return quantile_interval(self.reduce(bootstrap_means(own - other)))
        means = bootstrap_means(torch.cat([own, other], dim=1))  # (resamples, 2 * width)
        drawn = self.reduce(means[:, : self.width]) - self.reduce(means[:, self.width :])
        drawn = drawn[~drawn.isnan()]
        return quantile_interval(drawn) if len(drawn) else (torch.nan, torch.nan)

    def difference(self, own: Tensor, other: Tensor) -> float:
        """Return the difference of two explanations of the same images, as ``paired_interval`` takes them."""
        own, other = (values.reshape(len(values), self.width) for values in (own, other))
        if self.width == 1:
            return float(self.reduce((own - other).mean(dim=0)))
        return float(self.reduce(own.mean(dim=0)) - self.reduce(other.mean(dim=0)))


def has_value(values: Tensor) -> Tensor:
    """Tell which images have a value, (n,) bool, from (n,) or (n, width) numbers with NaN for those that have none.

    >>> has_value(torch.tensor([0.5, torch.nan])).tolist()
    [True, False]
    """
    missing = values.isnan()
    return ~(missing.any(dim=1) if missing.ndim > 1 else missing)


def numbers(values: Sequence[Any]) -> Tensor:
    """Return a column of numbers, or of whether something holds, as (n,) float64; NaN for None.

    >>> numbers([True, 0.25, None]).tolist()
    [1.0, 0.25, nan]
    """
    return torch.tensor([torch.nan if value is None else float(value) for value in values], dtype=torch.float64)
