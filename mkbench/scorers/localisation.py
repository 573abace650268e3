"""CorLoc scorer: overlap of the foreground's box with a ground-truth box."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch

from mkbench.errors import UsageError
from mkbench.metrics.functional import foreground_boxes
from mkbench.metrics.functional.corloc import localised
from mkbench.scorers.base import ScorerContext


class Localisation:
    """CorLoc: whether the box of an image's foreground has an IoU above 0.5 with a true box.

    The foreground is that of the model, refined as the run refines it, before any explainer. Images without a true
    box have no value; one without foreground is a miss.

    Where objects are large, even the whole image is often such a box: its CorLoc is reported beside it.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.1.

    >>> list(Localisation().columns)
    ['localised', 'localised_by_whole']
    """

    name = "localisation"
    needs_ground_truth = True
    needs_explanation = False

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Whether the object was found, and whether the box of the whole image would have found it."""
        return {"localised": pa.bool_(), "localised_by_whole": pa.bool_()}

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return whether the object was found in each of B images, and by the whole image; None without a true box.

        Raises:
            UsageError: the data knows no boxes.
        """
        ground_truth, pixels = context.group.ground_truth, context.foreground.pixels
        if ground_truth is None or ground_truth.boxes is None:
            raise UsageError(
                "Expected images with true boxes, for the scorer `localisation`, found none in the group "
                f"{context.group.key}; give --data.boxes, or leave the scorer out of --model.scorers."
            )
        known = [len(own) > 0 for own in ground_truth.boxes]
        found = {
            column: localised(foreground_boxes(mask), ground_truth.boxes).tolist()
            for column, mask in (("localised", pixels), ("localised_by_whole", torch.ones_like(pixels)))
        }
        return {
            column: [hit if there else None for hit, there in zip(hits, known, strict=True)]
            for column, hits in found.items()
        }
