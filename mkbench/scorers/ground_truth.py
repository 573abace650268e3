"""Ground-truth scorer: visible descriptors, parts on the object, and overlap with the parts that they name."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from mkbench.concepts.upscale import clear_uncovered
from mkbench.errors import UsageError
from mkbench.metrics.functional import (
    descriptor_agreement,
    language_agreement,
    mutual_agreement,
    named_part_iou,
    object_driven,
)
from mkbench.scorers.base import ScorerContext, to_values

#: Columns of the model, in the order of `LanguageAgreement`.
_LANGUAGE = ("language_precision", "language_recall", "language_precision_permuted", "language_recall_permuted")


class GroundTruth:
    """Precision of vision, language and mutual concepts, and part overlap, on images of which everything is known.

    It needs no forward pass.

    - Descriptor precision: share of the vision concepts that the image shows; of random descriptors it is the share of
      the bank that the image shows.
    - Descriptor recall: share of what the image shows that is among the vision concepts. An image shows more than an
      explanation names, so the largest recall that this number of concepts can have is reported beside it.
    - Language precision and recall, of the model: share of the language concepts of the image's class that are true of
      it, and share of what is true of it that is among them. Permuted: with the language concepts of the other classes.
    - Mutual precision: share of the concepts that both encoders name that the image shows. Permuted: with the language
      concepts of the other classes.
    - Part overlap: for each part whose first descriptor names a part of the object that can be seen, intersection over
      union of the two in pixels, averaged over these parts. A descriptor names a part even if it is wrong about it; one
      that speaks of the background names none. Pixels at the border that no patch covers are background in both.
    - Driven by the object: whether more than half of the first part, the most important one where the explainer ranks
      them, lies on the object. Beside it the share of the image that the object covers.

    >>> list(GroundTruth().columns)[:2]
    ['descriptor_precision', 'descriptor_precision_chance']
    """

    name = "ground_truth"
    needs_ground_truth = True
    needs_explanation = True

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Shares in 0..1."""
        shares = (
            "descriptor_precision",
            "descriptor_precision_chance",
            "descriptor_recall",
            "descriptor_recall_bound",
            "part_iou",
            "object_driven",
            "object_area",
            "mutual_precision",
            "mutual_precision_permuted",
            *_LANGUAGE,
        )
        return dict.fromkeys(shares, pa.float64())

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return the values of B images; None where an image has none, such as precision without concepts.

        Raises:
            UsageError: the data does not know parts and descriptors.
            ValueError: it knows those of another bank.
        """
        visible, masks, parts = _require_ground_truth(context)
        vision = context.explanation.vision
        agreement = descriptor_agreement(vision.ids, vision.counts, visible)
        first = context.explanation.descriptor_ids[..., 0]  # (images, parts)
        named = torch.where(first >= 0, parts[first.clamp(min=0)], -1)
        overlap = named_part_iou(context.explanation.part_pixels, named, masks)
        on_object = masks.any(dim=1)  # (images, S, S)
        return {
            "descriptor_precision": to_values(agreement.precision),
            "descriptor_precision_chance": to_values(agreement.chance),
            "descriptor_recall": to_values(agreement.recall),
            "descriptor_recall_bound": to_values(agreement.recall_bound),
            "part_iou": to_values(overlap),
            "object_driven": to_values(object_driven(context.explanation.part_pixels, on_object)),
            "object_area": to_values(on_object.double().flatten(1).mean(dim=1)),
            **_mutual_columns(context, visible),
            **_language_columns(context),
        }


def _mutual_columns(context: ScorerContext, visible: Tensor) -> dict[str, list[Any]]:
    vision = context.explanation.vision
    found = mutual_agreement(vision.ids, vision.counts, context.member, context.conditioning, visible)
    return {"mutual_precision": to_values(found.precision), "mutual_precision_permuted": to_values(found.permuted)}


def _language_columns(context: ScorerContext) -> dict[str, list[Any]]:
    """Return the same values for all images of the class; None where no class is known, or nothing of it."""
    ground_truth, label = context.group.ground_truth, context.group.class_index
    if ground_truth is None or ground_truth.class_descriptors is None or label is None:
        return {name: [None] * len(context.group) for name in _LANGUAGE}
    found = language_agreement(context.member, label, ground_truth.class_descriptors)
    return {name: to_values(value.expand(len(context.group))) for name, value in zip(_LANGUAGE, found, strict=True)}


def _require_ground_truth(context: ScorerContext) -> tuple[Tensor, Tensor, Tensor]:
    """Return visible descriptors (B, D), covered masks (B, P, S, S) and the part of every descriptor (D,)."""
    ground_truth = context.group.ground_truth
    if (
        ground_truth is None
        or ground_truth.descriptors is None
        or ground_truth.part_masks is None
        or ground_truth.descriptor_parts is None
    ):
        raise UsageError(
            "Expected images whose parts and visible descriptors are known, for the scorer `GroundTruth`, found none "
            f"in the group {context.group.key}; use Critters, or leave the scorer out of --model.scorers."
        )
    if ground_truth.descriptors.shape[1] != len(context.bare):
        raise ValueError(
            f"Expected the ground truth of the {len(context.bare)} descriptors of the bank, got that of "
            f"{ground_truth.descriptors.shape[1]}."
        )
    height, width = context.foreground.patches.shape[1:]
    masks = clear_uncovered(ground_truth.part_masks, (height, width), context.patch_size)
    return ground_truth.descriptors, masks, ground_truth.descriptor_parts
