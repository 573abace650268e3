"""Calibration of importance: rank correlation with the drop of the class score when a part is removed."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from mkbench.concepts import blur
from mkbench.metrics.functional import rank_correlation
from mkbench.metrics.functional.removal_sequence import part_importance, score_curve
from mkbench.scorers.base import ScorerContext, to_values

#: With two parts a rank correlation is 1 or -1 whatever they are.
_FEWEST_PARTS = 3
#: Images rendered at once.
_CHUNK = 96


class Calibration:
    """Rank correlation between the importance of an image's parts and how far the class score falls without each.

    Importance is what orders the removal of :class:`mkbench.scorers.Removal`: cos(image, part) * cos(image, the part's
    first descriptor). The effect of a part is the fall of the score of the predicted class when that part alone is
    blurred. Parts without a descriptor do not count, and images with fewer than three others have no value. It needs
    one forward pass for each part.

    >>> list(Calibration().columns)
    ['importance_effect']
    """

    name = "calibration"
    needs_ground_truth = False
    needs_explanation = True

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Spearman's rank correlation, -1..1; 1: importance and effect agree on the order of the parts."""
        return {"importance_effect": pa.float64()}

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return the rank correlation of B images; None where there is none."""
        explanation = context.explanation
        first = explanation.descriptor_ids[..., 0]  # (images, parts)
        usable = explanation.present & (first >= 0)
        usable &= (usable.sum(dim=1) >= _FEWEST_PARTS)[:, None]
        importance = part_importance(
            context.image_embedding, explanation.part_embeddings, context.bare[first.clamp(min=0)]
        )
        # The score of the whole image is the same for all of its parts: the lower the score without, the larger the
        # fall.
        effect = -self._scores_without(context, usable)
        return {"importance_effect": to_values(rank_correlation(importance, effect, usable))}

    @staticmethod
    def _scores_without(context: ScorerContext, usable: Tensor) -> Tensor:
        """Class score of every image without each of its usable parts, (B, L) float64; 0 for the others."""
        images, classes = context.group.images, context.classes[context.predicted]  # (images, dim)
        blurred = blur(images)
        scores = torch.zeros(usable.shape, dtype=torch.float64, device=usable.device)
        pairs = usable.nonzero()  # (pairs, 2)
        for start in range(0, len(pairs), _CHUNK):
            image, part = pairs[start : start + _CHUNK].unbind(dim=1)
            masks = context.explanation.part_pixels[image, part, None]  # (pairs, 1, height, width)
            embeddings = context.encode(torch.where(masks, blurred[image], images[image]))  # (pairs, dim)
            scores[image, part] = score_curve(embeddings[:, None], classes[image])[:, 0]
        return scores
