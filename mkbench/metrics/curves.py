"""States that the mutual information metrics share: sums of curves over images."""

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.curves import CurveStatistics, curve_statistics


class CurveSums(Metric):
    """Base of the metrics over mutual information curves; subclasses say what they read off the averaged curve.

    The states have a fixed shape, so a process without images takes part in the reduction like any other.

    Args:
        max_concepts: most vision concepts of one image; an image with more raises. The paper's setting, five parts of
            three descriptors, needs 15.

    Raises:
        ValueError: if ``max_concepts`` is negative.

    Example:
        >>> from mkbench.metrics import MutualInformation
        >>> sums = MutualInformation(max_concepts=3)
        >>> sums.update_curves(torch.tensor([[4.0, 2.0, 0.0], [2.0, 0.0, 0.0]]), torch.tensor([2, 1]))
        >>> sums.curve().tolist()
        [3.0, 1.0, 0.0]
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    curve_sum: Tensor
    auc_sum: Tensor
    images: Tensor
    longest: Tensor

    def __init__(self, *, max_concepts: int = 64) -> None:
        super().__init__()
        if max_concepts < 0:
            raise ValueError(f"max_concepts must not be negative, found {max_concepts}")
        self.max_concepts = max_concepts
        zero = torch.zeros((), dtype=torch.float64)
        self.add_state("curve_sum", torch.zeros(max_concepts + 1, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("auc_sum", zero.clone(), dist_reduce_fx="sum")
        self.add_state("images", zero.clone(), dist_reduce_fx="sum")
        self.add_state("longest", zero.clone(), dist_reduce_fx="max")

    def update_curves(self, curves: Tensor, counts: Tensor) -> None:
        """Add curves that exist already, instead of computing them from id lists.

        Args:
            curves: (B, K + 1) float64 curves, as :func:`mutual_information_curves` gives them.
            counts: (B,) int64 vision concepts per image.

        Raises:
            ValueError: if shapes do not fit or an image has more than ``max_concepts`` concepts.
        """
        self._add(curve_statistics(curves, counts, max_concepts=self.max_concepts))
        # What torchmetrics itself does around update(): the value kept by the last compute() is out of date.
        self._update_count += 1
        self._computed = None

    def _add(self, statistics: CurveStatistics) -> None:
        self.curve_sum += statistics.curve_sum
        self.auc_sum += statistics.auc_sum
        self.images += statistics.images
        self.longest = torch.maximum(self.longest, statistics.longest)

    def curve(self) -> Tensor:
        """Averaged curve of the images seen by this process; of all processes inside ``sync_context()``.

        Returns:
            (longest + 1,) float64 in nats, as :func:`average_curves`; NaN without images.
        """
        return self.curve_sum[: int(self.longest) + 1] / self.images

    def image_auc(self) -> Tensor:
        """Mean over images of the mean of each one's own curve, float64; NaN without images."""
        return self.auc_sum / self.images
