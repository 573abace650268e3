"""Agreement of masks and maps with the true objects, over a set of images."""

import torch
from torch import Tensor

from mkbench.metrics.functional.segmentation import (
    accuracy_of_counts,
    image_mask_counts,
    mean_iou_of_counts,
    segmentation_average_precision,
)
from mkbench.metrics.row_metric import MeanMetric, Rows, numbers


class _MaskMetric(MeanMetric):
    """Keeps how many pixels were taken for what: the ratios of their sums are those of their means over images."""

    higher_is_better = True
    columns = ("pixels",)
    width = 4

    def image_values(self, rows: Rows) -> Tensor:
        """Return four counts of each image, (n, 4) float64: background taken for background and object, object too."""
        nothing = [torch.nan] * self.width
        counts = [nothing if pixels is None else pixels for pixels in rows[self.columns[0]]]
        return torch.tensor(counts, dtype=torch.float64).reshape(-1, self.width)

    def update(self, masks: Tensor, ground_truth: Tensor) -> None:
        """Add a batch of images.

        Args:
            masks: (B, H, W) bool, taken for the object.
            ground_truth: (B, H, W) bool, of the object.

        Raises:
            ValueError: for shapes or types that do not fit.
        """
        self.add(image_mask_counts(masks, ground_truth).flatten(1))


class PixelAccuracy(_MaskMetric):
    """Share of all pixels that are taken for what they are; 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Example:
        >>> metric = PixelAccuracy()
        >>> metric.update(torch.tensor([[[True, False]]]), torch.tensor([[[True, True]]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def reduce(self, means: Tensor) -> Tensor:
        """Return the share, (...), of mean counts (..., 4); NaN without pixels."""
        return accuracy_of_counts(means.reshape(*means.shape[:-1], 2, 2))


class SegmentationMeanIoU(_MaskMetric):
    """Intersection over union over all images, averaged over background and object; 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Example:
        >>> metric = SegmentationMeanIoU()
        >>> metric.update(torch.tensor([[[True, True, False]]]), torch.tensor([[[True, False, False]]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def reduce(self, means: Tensor) -> Tensor:
        """Return the mean IoU, (...), of mean counts (..., 4); NaN without pixels."""
        return mean_iou_of_counts(means.reshape(*means.shape[:-1], 2, 2))


class SegmentationAveragePrecision(MeanMetric):
    """Average precision of pixels, averaged over images (mAP); 0..1, higher is better.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2; the definition is that of
    :func:`mkbench.metrics.functional.segmentation_average_precision`.

    Example:
        >>> metric = SegmentationAveragePrecision()
        >>> metric.update(torch.tensor([[[0.9, 0.2]]]), torch.tensor([[[True, False]]]))
        >>> metric.compute()
        tensor(1., dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("average_precision",)

    def image_values(self, rows: Rows) -> Tensor:
        """Return the average precision of each image, (n,) float64."""
        return numbers(rows[self.columns[0]])

    def update(self, scores: Tensor, ground_truth: Tensor) -> None:
        """Add a batch of images.

        Args:
            scores: (B, H, W) in 0..1, higher for the object.
            ground_truth: (B, H, W) bool, of the object.

        Raises:
            ValueError: for shapes that do not fit, no pixels, or scores outside 0..1.
        """
        self.add(segmentation_average_precision(scores, ground_truth))
