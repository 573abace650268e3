"""Metrics and a scorer of a user, named by ``class_path`` in tests."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from torch import Tensor

from mkbench.metrics import ImageMetric, Rows, numbers
from mkbench.scorers import ScorerContext


class ConceptCount(ImageMetric):
    """Mean number of vision concepts."""

    name, columns, higher_is_better = "named_concepts", ("descriptor_ids",), True
    heading, unit, decimals = "concepts", "descriptors", 1

    def image_values(self, rows: Rows) -> Tensor:
        return numbers([len(ids) for ids in rows["descriptor_ids"]])


class PredictedIndex(ImageMetric):
    """Mean number of the predicted class, of any system."""

    name, columns, higher_is_better = "predicted_index", ("predicted_index",), None
    of_model = True


class Astray(ImageMetric):
    """A metric of a column that no run has."""

    name, columns = "astray", ("nowhere",)


class _Brightness(ImageMetric):
    """Mean brightness of the parts."""

    name, columns, higher_is_better = "part_brightness", ("brightness",), False


class Brightness:
    """A scorer that says which metric follows from its column."""

    name = "brightness"
    needs_ground_truth = False
    needs_explanation = True
    metrics = (_Brightness(),)

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return {"brightness": pa.float64()}

    def settings(self) -> dict[str, object]:
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        inside = context.explanation.part_pixels.any(dim=1)
        gray = context.group.images.double().mean(dim=1)
        return {"brightness": ((gray * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).tolist()}
