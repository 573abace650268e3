"""Agreement of masks and maps with the true objects, over a set of images."""

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.segmentation import (
    accuracy_of_counts,
    mask_counts,
    mean_iou_of_counts,
    segmentation_average_precision,
)


class _MaskMetric(Metric):
    """Keeps how many pixels were taken for what."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(2, 2, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, masks: Tensor, ground_truth: Tensor) -> None:
        """Add a batch of images.

        Args:
            masks: (B, H, W) bool, taken for the object.
            ground_truth: (B, H, W) bool, of the object.

        Raises:
            ValueError: for shapes or types that do not fit.
        """
        self.counts += mask_counts(masks, ground_truth)


class PixelAccuracy(_MaskMetric):
    """Share of all pixels that are taken for what they are; 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Example:
        >>> metric = PixelAccuracy()
        >>> metric.update(torch.tensor([[[True, False]]]), torch.tensor([[[True, True]]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def compute(self) -> Tensor:
        """The share, float64; NaN without pixels."""
        return accuracy_of_counts(self.counts)


class SegmentationMeanIoU(_MaskMetric):
    """Intersection over union over all images, averaged over background and object; 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Example:
        >>> metric = SegmentationMeanIoU()
        >>> metric.update(torch.tensor([[[True, True, False]]]), torch.tensor([[[True, False, False]]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def compute(self) -> Tensor:
        """The mean, float64; NaN without pixels."""
        return mean_iou_of_counts(self.counts)


class SegmentationAveragePrecision(Metric):
    """Average precision of pixels, averaged over images (mAP); 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2; the definition is that of
    :func:`mkbench.metrics.functional.segmentation_average_precision`.

    Example:
        >>> metric = SegmentationAveragePrecision()
        >>> metric.update(torch.tensor([[[0.9, 0.2]]]), torch.tensor([[[True, False]]]))
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    total: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, scores: Tensor, ground_truth: Tensor) -> None:
        """Add a batch of images.

        Args:
            scores: (B, H, W) in 0..1, higher for the object.
            ground_truth: (B, H, W) bool, of the object.

        Raises:
            ValueError: for shapes that do not fit, no pixels, or scores outside 0..1.
        """
        self.total += segmentation_average_precision(scores, ground_truth).sum()
        self.images += len(scores)

    def compute(self) -> Tensor:
        """The mean over images, float64; NaN without images."""
        return self.total / self.images
