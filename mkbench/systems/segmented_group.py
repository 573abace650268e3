"""Segmented class group: maps, masks and scores, for rows and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.heads.segmentation_scores import MapScores


class SegmentedImages(NamedTuple):
    """Predictions, maps and scores of B segmented images.

    Attributes:
        ranking: (B, up to 5) int64, predicted classes, best first.
        classes: (B,) int64, the class that the maps are of.
        maps: method -> (B, R, h, w) float64, one map, or one of each draw.
        scores: method -> its scores, over the draws their mean.
    """

    ranking: Tensor
    classes: Tensor
    maps: Mapping[str, Tensor]
    scores: Mapping[str, MapScores]

    @staticmethod
    def concatenate(parts: Sequence["SegmentedImages"]) -> "SegmentedImages":
        """Join batches of images, at least one."""
        methods = parts[0].maps
        return SegmentedImages(
            ranking=torch.cat([part.ranking for part in parts]),
            classes=torch.cat([part.classes for part in parts]),
            maps={method: torch.cat([part.maps[method] for part in parts]) for method in methods},
            scores={method: MapScores.concatenate([part.scores[method] for part in parts]) for method in methods},
        )


@dataclass(frozen=True)
class SegmentedGroup:
    """Segmented images of a class group.

    Attributes:
        group: the images.
        ground_truth: (B, S, S) bool, the pixels of the object in each.
        images: what was found.
        patch_size: side of a patch of the model, in pixels; None: the largest that fits.
    """

    group: ClassGroup
    ground_truth: Tensor
    images: SegmentedImages
    patch_size: int | None = None
