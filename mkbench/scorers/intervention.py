"""Intervention scorer: does what is explained change with the one thing that was changed in an image, and only so?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.concepts import GroupExplanation
from mkbench.concepts.upscale import clear_uncovered
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.metrics.functional.intervention import (
    FACTORS,
    descriptor_change,
    map_change,
    own_and_mispaired,
    score_change,
)
from mkbench.metrics.functional.removal_sequence import part_importance
from mkbench.scorers.base import ScorerContext, to_values

#: Columns that have a control beside them, which compares each pair with what the other changes of the image change.
_CONTROLLED = ("intervention_j", "intervention_focus", "intervention_score_auc")


class _Explained(NamedTuple):
    """What an explainer says of images.

    Attributes:
        named: (..., D) bool, the descriptors of each image.
        importance: (..., S, S) float64, how important the part is that covers each pixel; 0 where none does.
        scores: (..., D) cosines of each image and the descriptors.
    """

    named: Tensor
    importance: Tensor
    scores: Tensor


class InterventionScorer:
    """Truth by intervention: pairs of images that differ in exactly one thing, and the change of what is explained.

    For each factor that the data changes (``Critters(intervention=[...])``), the whole pipeline explains the changed
    images in the place of those of the group. It costs one forward pass and one explanation for each pair. The values
    of an image are means over its pairs, so that intervals over images keep pairs of the same image together.

    - Hit rate: share of the descriptors that become true or false that the explanation gains or loses with them. False
      alarm: share of the others that it gains or loses. J (Youden's): hit rate minus false alarm, 1 for an explanation
      that names what an image shows and nothing else. Direction: of the descriptors that change in both, the share that
      changes in the right direction; by chance a half.
    - Focus: share of the change of the importance map, in which each pixel has the importance of the part that covers
      it (see :class:`mkbench.scorers.Calibration`), that lies inside the changed pixels, over their share of the area.
    - Score AUC, of the model: probability that the cosine of image and descriptor moves as its truth does, further than
      that of a descriptor whose truth stays; by chance a half.

    Mispaired: the same change against what the other factors change in the same image, so that what any change brings
    about does not count. Explanations without parts have no focus; with a single factor nothing is mispaired.

    Sources: Bader et al., SUB, ICCV 2025, arXiv 2507.23784, and Hesse et al., FunnyBirds, ICCV 2023, arXiv 2308.06248,
    change one attribute or remove one part of an image; the scores are mkbench's own.

    >>> list(InterventionScorer().columns)[:3]
    ['intervention_hit_rate', 'intervention_false_alarm', 'intervention_direction']
    """

    name = "intervention"
    needs_ground_truth = True
    needs_explanation = True

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Means over the pairs of an image: shares, J in -1..1, and focus from 0; J of each factor of Critters too."""
        shares = ("intervention_hit_rate", "intervention_false_alarm", "intervention_direction")
        controlled = [f"{name}{control}" for name in _CONTROLLED for control in ("", "_mispaired")]
        factors = [f"intervention_j_{factor}" for factor in FACTORS]
        return dict.fromkeys([*shares, *controlled, *factors], pa.float64())

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return the values of B images; None where an image has none, such as focus without parts.

        Raises:
            UsageError: the data changes nothing.
            ValueError: the context cannot explain again.
        """
        known = _require_interventions(context)
        before = _read(context, context.explanation, context.image_embedding)
        after = _explain_changed(context, known)
        change = descriptor_change(before.named, after.named, *known.truth)
        own_j, _ = own_and_mispaired(change.youden)  # (images, factors)
        columns = {
            "intervention_hit_rate": own_and_mispaired(change.hit_rate)[0],
            "intervention_false_alarm": own_and_mispaired(change.false_alarm)[0].masked_fill(own_j.isnan(), torch.nan),
            "intervention_direction": own_and_mispaired(change.direction)[0],
        }
        controlled = (
            change.youden,
            map_change(before.importance, after.importance, known.regions),
            score_change(before.scores, after.scores, *known.truth),
        )
        for name, values in zip(_CONTROLLED, controlled, strict=True):
            columns[name], columns[f"{name}_mispaired"] = own_and_mispaired(values)
        nothing = torch.full_like(own_j[:, :1], torch.nan)
        for factor in FACTORS:
            at = known.factors.index(factor) if factor in known.factors else None
            columns[f"intervention_j_{factor}"] = nothing if at is None else own_j[:, at : at + 1]
        return {name: to_values(columns[name].nanmean(dim=1)) for name in self.columns}


class _Known(NamedTuple):
    """What is known of changed images.

    Attributes:
        factors: F names.
        truth: (B, D) and (B, F, D) bool, what the images show before and after.
        groups: F groups of the B images, each with the factor changed and what is then true of them.
        regions: (B, F, S, S) bool, the pixels that differ, of those that patches cover.
    """

    factors: tuple[str, ...]
    truth: tuple[Tensor, Tensor]
    groups: list[ClassGroup]
    regions: Tensor


def _explain_changed(context: ScorerContext, known: _Known) -> _Explained:
    """Explain the changed images, one factor after the other, in the place of those of the group."""
    if context.explain_again is None:
        raise ValueError("context must have explain_again for interventions, found None")
    images = torch.stack([group.images for group in known.groups], dim=1)  # (images, factors, 3, S, S)
    embeddings = context.encode(images.flatten(0, 1)).reshape(*images.shape[:2], -1)
    again = [
        _read(context, context.explain_again(own, context.seed).explanation, embedding)
        for own, embedding in zip(known.groups, embeddings.unbind(dim=1), strict=True)
    ]
    return _Explained(*(torch.stack(values, dim=1) for values in zip(*again, strict=True)))


def _read(context: ScorerContext, explanation: GroupExplanation, image_embedding: Tensor) -> _Explained:
    ids = explanation.vision.ids  # (images, concepts)
    bank = len(context.bare)
    named = torch.zeros(len(ids), bank + 1, dtype=torch.bool, device=ids.device)
    named.scatter_(1, torch.where(ids >= 0, ids, bank), True)
    first = explanation.descriptor_ids[..., 0]  # (images, parts)
    importance = part_importance(image_embedding, explanation.part_embeddings, context.bare[first.clamp(min=0)])
    importance = torch.where(explanation.present & (first >= 0), importance, 0.0)
    maps = (explanation.part_pixels * importance[..., None, None]).sum(dim=1)  # (images, S, S)
    scores = F.normalize(image_embedding.double(), dim=-1) @ context.bare.double().T
    return _Explained(named[:, :bank], maps, scores)


def _require_interventions(context: ScorerContext) -> _Known:
    known = context.group.ground_truth
    if (
        known is None
        or known.descriptors is None
        or known.changed_descriptors is None
        or known.changed_images is None
        or known.changed_pixels is None
    ):
        raise UsageError(
            "Expected images with one thing changed, for the scorer `InterventionScorer`, found none in the group "
            f"{context.group.key}; use Critters and give --data.intervention, such as [colour, tail, background]."
        )
    height, width = context.foreground.patches.shape[1:]
    regions = clear_uncovered(known.changed_pixels, (height, width), context.patch_size)
    changed = [
        replace(context.group, images=images, ground_truth=known.after(factor))
        for factor, images in enumerate(known.changed_images.unbind(dim=1))
    ]
    return _Known(known.factors, (known.descriptors, known.changed_descriptors), changed, regions)
