"""Does the foreground lie where the object is?"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch

from mkbench.errors import UsageError
from mkbench.measures.base import MeasureContext
from mkbench.metrics.functional import foreground_boxes
from mkbench.metrics.functional.corloc import localised


class Localisation:
    """CorLoc: whether the box of an image's foreground has an IoU above 0.5 with a true box.

    The foreground is that of the model, refined as the run refines it, before any explainer. Pictures without a true
    box have no value; one without foreground is a miss.

    Where objects are large, even the whole picture is often such a box: its CorLoc is reported beside it.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.1.

    >>> list(Localisation().columns)
    ['localised', 'localised_by_whole']
    """

    name = "localisation"
    needs_truth = True
    needs_explanation = False

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Whether the object was found, and whether the box of the whole picture would have found it."""
        return {"localised": pa.bool_(), "localised_by_whole": pa.bool_()}

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def measure(self, context: MeasureContext) -> dict[str, list[Any]]:
        """Return whether the object was found in each of B images, and by the whole picture; None without a true box.

        Raises:
            UsageError: the data knows no boxes.
        """
        truth, pixels = context.group.truth, context.foreground.pixels
        if truth is None or truth.boxes is None:
            raise UsageError(
                "Expected pictures with true boxes, for the measure `localisation`, found none in the group "
                f"{context.group.key}; give --data.boxes, or leave the measure out of --model.measures."
            )
        known = [len(own) > 0 for own in truth.boxes]
        found = {
            column: localised(foreground_boxes(mask), truth.boxes).tolist()
            for column, mask in (("localised", pixels), ("localised_by_whole", torch.ones_like(pixels)))
        }
        return {
            column: [hit if there else None for hit, there in zip(hits, known, strict=True)]
            for column, hits in found.items()
        }
