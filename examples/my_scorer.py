"""A scorer of your own: the share of every image that the parts of an explanation cover."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mkbench.metrics import ImageMetric
from mkbench.scorers import ScorerContext
from mkbench.scorers.base import to_values


class MeanCoverage(ImageMetric):
    """The mean of the column, which stands in `results.json`."""

    name, columns, higher_is_better = "coverage", ("coverage",), None


class Coverage:
    """Share of the pixels that belong to a part, 0 to 1; a value for each image and explainer."""

    name = "coverage"
    needs_ground_truth = False  # True asks the data for boxes, masks and true descriptors
    needs_explanation = True  # False: the same for every explainer, so asked once
    metrics = (MeanCoverage(),)  # what follows from its columns

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """The columns it adds to the rows of a run, with their types."""
        return {"coverage": pa.float64()}

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers: there is none."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return a value for each image of the group; None where an image has none."""
        pixels = context.explanation.part_pixels  # (images, parts, S, S)
        return {"coverage": to_values(pixels.any(dim=1).double().mean(dim=(1, 2)))}
