"""Areas under curves that end at 0, over a set of images."""

from array import array
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.metrics.functional.curves import Average, check_average
from mkbench.metrics.row_metric import MeanMetric, RowMetric, Rows


class CurveMetric(MeanMetric):
    """Base of the metrics that are the area under mutual information curves.

    Args:
        average: ``set`` pads curves with 0 to the longest of all images before their mean is taken, as published;
            ``image`` takes the mean of every image's own curve.
        columns: the columns that it reads; None: those of its class.

    Raises:
        ValueError: an unknown average.
    """

    higher_is_better = True

    longest: Tensor

    def __init__(self, average: Average = "set", *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        check_average(average)
        self.average: Average = average
        self.add_state("longest", torch.zeros((), dtype=torch.float64), dist_reduce_fx="max")

    def curves(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Return the curves of the images, (n, K) padded with 0, and their lengths (n,)."""
        return pad_curves(rows[self.columns[0]])

    def image_values(self, rows: Rows) -> Tensor:
        """Return the areas, (n,) float64; those of ``set`` depend on the longest of the curves given."""
        return self._areas(*self.curves(rows))

    def paired_values(self, rows: Rows, control: RowMetric, control_rows: Rows) -> tuple[Tensor, Tensor]:
        """Return the areas by both, those of ``set`` of curves that are padded to the longest of both sets.

        Each padded to its own, a single long curve would make all others of its set smaller, and a control worse.
        """
        if not isinstance(control, CurveMetric):
            return super().paired_values(rows, control, control_rows)
        (own, lengths), (other, other_lengths) = self.curves(rows), control.curves(control_rows)
        longest = max(own.shape[1], other.shape[1])
        own, other = (F.pad(curves, (0, longest - curves.shape[1])) for curves in (own, other))
        return self._areas(own, lengths), control._areas(other, other_lengths)

    def _areas(self, curves: Tensor, lengths: Tensor) -> Tensor:
        return curves.mean(dim=1) if self.average == "set" else curves.sum(dim=1) / lengths

    def add_curves(self, curves: Tensor, lengths: Tensor) -> None:
        """Add the curves of a batch.

        Args:
            curves: (B, K) float64, 0 behind their end.
            lengths: (B,) int64 entries of each.
        """
        sums = curves.sum(dim=1)
        self.add(sums if self.average == "set" else sums / lengths)
        if len(lengths):
            self.longest = torch.maximum(self.longest, lengths.max().to(self.longest))

    def update_rows(self, rows: Rows) -> Tensor:
        """Add images by their rows; returns what ``image_values`` gives for them."""
        curves, lengths = self.curves(rows)
        self.add_curves(curves, lengths)
        self._mark_updated()
        return self._areas(curves, lengths)

    def compute(self) -> Tensor:
        """The area in nats, float64; NaN without images."""
        mean = super().compute()
        return mean / self.longest if self.average == "set" else mean


def pad_curves(curves: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Bring a column of curves to one tensor.

    Args:
        curves: n lists of numbers of different lengths; None for an image without one.

    Returns:
        (n, longest) float64, 0 behind the end of each curve and NaN for None, and (n,) int64 lengths.

    >>> pad_curves([[2.0, 0.0], [0.0]])
    (tensor([[2., 0.],
            [0., 0.]], dtype=torch.float64), tensor([2, 1]))
    """
    padded, lengths, _ = _read_curves(curves)
    return padded, lengths


def pad_known_curves(curves: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Bring the curves of a column to one tensor, as `pad_curves`, without the images that have none.

    >>> pad_known_curves([None, [2.0, 0.0]])
    (tensor([[2., 0.]], dtype=torch.float64), tensor([2]))
    """
    padded, lengths, known = _read_curves(curves)
    return padded[known], lengths[known]


def _read_curves(curves: Sequence[Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded curves, their lengths, and which images have one."""
    numbers, sizes, known = array("d"), array("q"), bytearray()  # eight bytes a number, where lists take 32
    for curve in curves:
        own = (torch.nan,) if curve is None else curve
        numbers.extend(own)
        sizes.append(len(own))
        known.append(curve is not None)
    lengths = _as_tensor(sizes, torch.int64)
    padded = torch.zeros(len(sizes), max(sizes, default=0), dtype=torch.float64)
    padded[torch.arange(padded.shape[1]) < lengths[:, None]] = _as_tensor(numbers, torch.float64)
    return padded, lengths, _as_tensor(known, torch.bool)


def _as_tensor(values: Any, dtype: torch.dtype) -> Tensor:
    """Return a tensor over a buffer, which may not be empty for PyTorch."""
    return torch.frombuffer(values, dtype=dtype) if len(values) else torch.zeros(0, dtype=dtype)
