"""Zero-shot segmentation by attention heads, as a predict-only system."""

from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.concepts.upscale import clear_uncovered
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.ground_truth import ground_truth_reader
from mkbench.datamodules.options import Unpack
from mkbench.errors import UsageError
from mkbench.heads import Decomposer, attention_maps, random_heads
from mkbench.heads.segmentation import class_directions, head_shares, product_maps
from mkbench.heads.segmentation_scores import score_maps
from mkbench.heads.token_readings import TokenReadings
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.base import BenchmarkSystem, SystemOptions
from mkbench.systems.records.head_segmentation import (
    METHODS,
    segmentation_layout,
    segmentation_record,
    segmentation_rows,
    summarise_segmentation,
)
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.segmented_group import SegmentedGroup, SegmentedImages

_ADVICE = "use Critters, or a data set whose source tells `part_masks`"


class HeadSegmentation(BenchmarkSystem):
    """Zero-shot segmentation by attention heads (Gandelsman, Efros & Steinhardt, ICLR 2024, arXiv 2310.05916, Table 2).

    Three maps of every image are brought to pixels and cut at their mean: ``heads``, how much of the class rather
    than of the average class all heads of all layers write at each patch; ``attention``, the raw attention of the class
    token in the last layer, averaged over heads, which knows of no class; and ``random_heads``, the first one from some
    heads alone, drawn once for a run, in several draws whose numbers are averaged. The last two are controls.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration);
            a vision transformer.
        condition_on: look for the ``true`` class of an image or for the ``predicted`` one.
        num_random_heads: heads in a random draw; None takes half of them, rounded down, but at least one.
        draws: random draws.
        seed: run seed, of the draws.
        options: see :class:`BenchmarkSystem`.

    Raises:
        UsageError: no draw, no head in it, or more than there are.
        BackboneError: a model whose embedding is no sum over attention heads.
    """

    needs_ground_truth = True

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        condition_on: Literal["predicted", "true"] = "true",
        num_random_heads: int | None = None,
        draws: int = 5,
        seed: int = 0,
        **options: Unpack[SystemOptions],
    ) -> None:
        super().__init__(backbone, **options)
        layers = find_tower(self.backbone).layers  # refuses what cannot be decomposed before anything is read
        self.num_heads = sum(layer.attention.num_heads for layer in layers)
        self.num_random_heads = max(self.num_heads // 2, 1) if num_random_heads is None else num_random_heads
        if not 1 <= self.num_random_heads <= self.num_heads:
            raise UsageError(
                f"Expected --model.num_random_heads of 1 to {self.num_heads}, found {self.num_random_heads}."
            )
        if draws < 1:
            raise UsageError(f"Expected --model.draws to be at least 1, found {draws}.")
        self.condition_on, self.draws, self.seed = condition_on, draws, seed
        self._decomposer: Decomposer | None = None
        self._classes: Tensor | None = None

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""
        return {
            "condition_on": self.condition_on,
            "num_heads": self.num_heads,
            "num_random_heads": self.num_random_heads,
            "draws": self.draws,
            "precision": self.precision,
            "seed": self.seed,
        }

    def setup(self, stage: str) -> None:
        """Refuse data on which nothing can be measured, before any of it is read.

        Raises:
            UsageError: nothing is known of its images, or not their class, though that is looked for.
        """
        super().setup(stage)
        data = attached_data(self.trainer)
        if ground_truth_reader(data.source) is None:
            raise UsageError(
                f"Expected images with masks of the object, found none in {type(data).__name__}; {_ADVICE}."
            )
        if not data.labelled and self.condition_on == "true":
            raise UsageError(
                "Expected --model.condition_on predicted for images without labels (no true class is known), found "
                "true."
            )

    @torch.no_grad()
    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode the classes of the data, and get ready to decompose with the weights where they now are."""
        self.backbone.truncated_texts = 0
        self._classes = self.text_cache.embed_classes(self.backbone, data.class_names, data.templates)
        self._decomposer = Decomposer(self.backbone)

    # -- images ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def answer(self, group: ClassGroup) -> SegmentedGroup:
        """Segment a class group.

        Raises:
            UsageError: images whose object is not known.
            RuntimeError: ``prepare`` was not called.
        """
        patch_size = self.backbone.patch_size
        ground_truth = clear_uncovered(object_masks(group), self.backbone.grid, patch_size)
        chunks = zip(self._chunks(group.images), self._chunks(ground_truth), strict=True)
        parts = [self._segment(images, masks, group.class_index) for images, masks in chunks]
        return SegmentedGroup(group, ground_truth, SegmentedImages.concatenate(parts), patch_size)

    def _segment(self, images: Tensor, ground_truth: Tensor, label: int | None) -> SegmentedImages:
        if self._decomposer is None or self._classes is None:
            raise RuntimeError("Expected a prepared system, found none; call prepare first.")
        readings = self._decomposer.read_tokens(images)
        texts = self._classes.to(readings.embedding.device).double()
        ranking = self._rank(F.normalize(readings.embedding.double(), dim=-1), texts)
        classes = ranking[:, 0]
        if self.condition_on == "true" and label is not None:
            classes = torch.full_like(classes, label)
        maps = self._draw_maps(readings, class_directions(texts, classes))
        scores = {
            method: score_maps(of_method, ground_truth, self.backbone.patch_size) for method, of_method in maps.items()
        }
        return SegmentedImages(ranking, classes, maps, scores)

    def _draw_maps(self, readings: TokenReadings, directions: Tensor) -> dict[str, Tensor]:
        """Return the maps (B, R, h, w) of each method."""
        grid = self.backbone.grid
        drawn = [
            head_shares(random_heads(readings, self.num_random_heads, seed=self.seed * self.draws + draw), readings)
            for draw in range(self.draws)
        ]
        shares = torch.stack([torch.ones_like(drawn[0]), *drawn])  # (1 + draws, L, H)
        maps = product_maps(readings.along(directions), shares, grid=grid)
        attention = attention_maps(readings, grid=grid).double()
        return dict(zip(METHODS, (maps[:, :1], attention[:, None], maps[:, 1:]), strict=True))

    # -- what a run folder asks -------------------------------------------------------------------------------------

    def record(self, group: ClassGroup, answer: SegmentedGroup | None, class_names: Sequence[str]) -> GroupRecord:
        """Return the rows of a group, one for each image and method."""
        return segmentation_record(group, answer, class_names)

    def metric_layout(self) -> Layout:
        """Return the accuracies, the metrics of each method, and a user's own."""
        return segmentation_layout(self.own_metrics)

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the model and of each method."""
        return segmentation_rows(rows)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return metrics and comparisons with the controls; see ``mkbench.systems.records.head_segmentation``."""
        return summarise_segmentation(records, self.own_metrics)


def object_masks(group: ClassGroup) -> Tensor:
    """Return the pixels of the object in each image of a group: those of any of its parts, (B, S, S) bool.

    Raises:
        UsageError: no part of them is known.
    """
    if group.ground_truth is None or group.ground_truth.part_masks is None:
        raise UsageError(f"Expected images with masks of the object, found none in the group {group.key}; {_ADVICE}.")
    return group.ground_truth.part_masks.any(dim=1)
