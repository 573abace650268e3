"""Kept-region accuracy: top-1 of images of which only the foreground is left."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch

from mkbench.concepts import blur
from mkbench.metrics.functional.removal_sequence import correctness_curves
from mkbench.scorers.base import ScorerContext


class KeptRegion:
    """Kept-region accuracy: whether the nearest class is right with everything outside the foreground blurred.

    To compare with ``top1``, the same with nothing blurred. The foreground is that of the model, refined as the run
    refines it, before any explainer; without one the whole image is blurred. It needs one forward pass.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.3.

    >>> list(KeptRegion().columns)
    ['kept_region_correct']
    """

    name = "kept_region"
    needs_ground_truth = False
    needs_explanation = False

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Whether the prediction is right."""
        return {"kept_region_correct": pa.bool_()}

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return whether the prediction is right for each of B images; None without labels."""
        images, label = context.group.images, context.group.class_index
        if label is None:
            return {"kept_region_correct": [None] * len(images)}
        kept = torch.where(context.foreground.pixels[:, None], images, blur(images))
        return {"kept_region_correct": correctness_curves(context.encode(kept), context.classes, label).tolist()}
