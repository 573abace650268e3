"""Stability: do an image's concepts and its AUC stay under one grey level of noise, or another seed?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from mkbench.metrics.functional.stability import concept_overlap
from mkbench.scorers.base import ScorerContext, to_values
from mkbench.scorers.explained_group import ExplainedGroup


class Stability:
    """How much of an explanation stays when the image is explained again.

    Once after noise of at most one grey level, which nobody sees; and, where the explainer draws something (K-means its
    first centres, random parts their places), once with another seed. The whole pipeline runs again, from the
    foreground to the predicted class, so that each costs as much as the explanation itself.

    - ``..._kept``: how many of the image's concepts are named again.
    - ``..._jaccard``: concepts named both times over concepts named either time.
    - ``..._auc``: AUC of the image's own curve, the second time; beside ``curve`` it tells how the AUC correlates over
      images, and how many flip between 0 and above.

    >>> list(Stability().columns)[:3]
    ['noise_kept', 'noise_jaccard', 'noise_auc']
    """

    name = "stability"
    needs_ground_truth = False
    needs_explanation = True

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Counts, shares in 0..1, and nats."""
        kinds = {"kept": pa.int64(), "jaccard": pa.float64(), "auc": pa.float64()}
        return {f"{cause}_{kind}": type_ for cause in ("noise", "reseed") for kind, type_ in kinds.items()}

    def settings(self) -> dict[str, object]:
        """It has no choices."""
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return the values of B images; None without concepts, and for another seed where nothing is drawn.

        Raises:
            ValueError: the context cannot explain again.
        """
        if context.explain_again is None:
            raise ValueError("context must have explain_again for stability, found None")
        noisy = replace(context.group, images=add_noise(context.group.images, context.seed))
        columns = _compare(context, "noise", context.explain_again(noisy, context.seed))
        if not context.seeded:
            nothing: list[Any] = [None] * len(context.group)
            return columns | {name: nothing for name in self.columns if name not in columns}
        return columns | _compare(context, "reseed", context.explain_again(context.group, context.seed + 1))


def _compare(context: ScorerContext, cause: str, again: ExplainedGroup) -> dict[str, list[Any]]:
    vision = again.explanation.vision
    overlap = concept_overlap(context.explanation.vision.ids, vision.ids)
    return {
        f"{cause}_kept": overlap.kept.tolist(),
        f"{cause}_jaccard": to_values(overlap.jaccard),
        f"{cause}_auc": (again.curves.sum(dim=1) / (vision.counts + 1)).tolist(),
    }


def add_noise(images: Tensor, seed: int) -> Tensor:
    """Change every value of an image by -1, 0 or 1, drawn on the CPU so that the device does not change the draw.

    Args:
        images: (B, 3, S, S) uint8.
        seed: seed of the draw.

    Returns:
        (B, 3, S, S) uint8, cut off at 0 and 255.

    Example:
        >>> noisy = add_noise(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8), seed=0)
        >>> sorted(noisy.unique().tolist())
        [254, 255]
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(-1, 2, images.shape, generator=generator, dtype=torch.int16)
    return (images.short() + noise.to(images.device)).clamp(0, 255).to(torch.uint8)
