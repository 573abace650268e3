"""Deletion and insertion scorer: class score while parts are blurred or taken away, or brought back, one by one."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from mkbench.errors import UsageError
from mkbench.metrics.functional.removal_sequence import (
    REMOVAL_MODES,
    RemovalMode,
    correctness_curves,
    removal_images_batch,
    removal_order_batch,
    score_curve,
)
from mkbench.scorers.base import ScorerContext, trim_rows

#: Images whose images are rendered at once: each has up to parts + 1 of them.
_CHUNK = 16
_SUFFIXES = {False: "", True: "_reversed"}


class Removal:
    """Deletion, insertion, accuracy drop and accuracy increase, and the reversed order as their control.

    Parts are ranked by cos(image, part) * cos(image, the part's first descriptor) and blurred, or brought back into the
    blurred image, in this order. The class score is 2.5 * cos(image, predicted class). A faithful ranking differs
    from its own reverse; where it does not, the metric says nothing about the order. An image without parts has no
    value: nothing is removed from it, and the sum over no steps, 0, would be the best deletion there is.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Exact removal, on images whose scene without the object is known (Critters), takes a part away instead: its pixels
    show the scene behind the object, and insertion begins with the empty scene. An image without the part is one that
    the model may meet, a blurred one is not; the pixels of a part that lie on the scene itself stay as they are.

    Args:
        reversed_control: scorer the reversed order too, which doubles the forward passes: 2 (2 L + 1) for an image.
        exact: take parts away instead of blurring them; its columns and metrics begin with ``exact_``, so that a run
            can have both.

    >>> list(Removal(reversed_control=False).columns)
    ['deletion_scores', 'deletion_correct', 'insertion_scores', 'insertion_correct']
    """

    needs_explanation = True

    def __init__(self, reversed_control: bool = True, exact: bool = False) -> None:
        self.orders = (False, True) if reversed_control else (False,)
        self.prefix = "exact_" if exact else ""
        self.name = f"{self.prefix}removal"
        self.needs_ground_truth = exact

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Scores and correctness at every step of both sequences, the untouched start included."""
        kinds = {"scores": pa.list_(pa.float64()), "correct": pa.list_(pa.bool_())}
        return {
            f"{self.prefix}{mode}_{kind}{_SUFFIXES[backwards]}": type_
            for backwards in self.orders
            for mode in REMOVAL_MODES
            for kind, type_ in kinds.items()
        }

    def settings(self) -> dict[str, object]:
        """Every choice that changes what is written."""
        return {"reversed_control": len(self.orders) > 1}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return the curves of B images, parts + 1 entries each; None without parts, correctness without labels.

        Raises:
            UsageError: exact removal from images of which the scene is not known.
        """
        scenes = _require_scenes(context) if self.needs_ground_truth else None
        explanation = context.explanation
        first = explanation.descriptor_ids[..., 0]  # (images, parts)
        order = removal_order_batch(
            context.image_embedding,
            explanation.part_embeddings,
            context.bare[first.clamp(min=0)],
            usable=explanation.present & (first >= 0),
            present=explanation.present,
        )
        counts = explanation.present.sum(dim=1)
        columns: dict[str, list[Any]] = {}
        for backwards in self.orders:
            ranked = _reverse(order, counts) if backwards else order
            for mode in REMOVAL_MODES:
                embeddings = self._encode_steps(context, ranked, counts, mode, scenes)  # (images, parts + 1, dim)
                column = f"{self.prefix}{mode}_{{}}{_SUFFIXES[backwards]}"
                columns |= self._curves(context, embeddings, counts, column)
        return columns

    @staticmethod
    def _curves(context: ScorerContext, embeddings: Tensor, counts: Tensor, column: str) -> dict[str, list[Any]]:
        scores = score_curve(embeddings, context.classes[context.predicted])
        label = context.group.class_index
        correct: list[Any] = [None] * len(counts)
        if label is not None:
            correct = _curves_of_parts(correctness_curves(embeddings, context.classes, label), counts)
        return {column.format("scores"): _curves_of_parts(scores, counts), column.format("correct"): correct}

    @staticmethod
    def _encode_steps(
        context: ScorerContext, order: Tensor, counts: Tensor, mode: RemovalMode, scenes: Tensor | None
    ) -> Tensor:
        """Embed every step of every image, (B, L + 1, d); steps that an image does not have stay 0."""
        images, masks = context.group.images, context.explanation.part_pixels
        steps = torch.arange(order.shape[1] + 1, device=order.device)
        wanted = (steps <= counts[:, None]) & (counts > 0)[:, None]  # (images, parts + 1)
        embeddings = context.image_embedding.new_zeros(*wanted.shape, context.image_embedding.shape[1])
        for start in range(0, len(images), _CHUNK):
            own = slice(start, start + _CHUNK)
            if not wanted[own].any():
                continue
            behind = None if scenes is None else scenes[own]
            rendered = removal_images_batch(images[own], masks[own], order[own], mode=mode, scenes=behind)
            embeddings[own][wanted[own]] = context.encode(rendered[wanted[own]]).to(embeddings.dtype)
        return embeddings


def _require_scenes(context: ScorerContext) -> Tensor:
    known = context.group.ground_truth
    if known is None or known.scene is None:
        raise UsageError(
            "Expected images whose scene without the object is known, for exact removal, found none in the group "
            f"{context.group.key}; use Critters, or leave out `exact` of the scorer `Removal`."
        )
    return known.scene


def _curves_of_parts(values: Tensor, counts: Tensor) -> list[list[Any] | None]:
    """Return the first `counts` + 1 entries of every row, None where there is no part."""
    return [row if len(row) > 1 else None for row in trim_rows(values, counts + 1)]


def _reverse(order: Tensor, counts: Tensor) -> Tensor:
    """Reverse the first `counts` entries of each row; the rest, absent parts, stay at the end."""
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    mirrored = counts[:, None] - 1 - places
    return order.gather(1, torch.where(mirrored >= 0, mirrored, places))
