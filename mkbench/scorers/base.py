"""Scorer interface: one value of an explanation for each image and explainer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Protocol

import pyarrow as pa
from torch import Tensor

from mkbench.concepts import Foreground, GroupExplanation
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.functional import Membership
from mkbench.scorers.explained_group import ExplainedGroup


@dataclass(frozen=True)
class ScorerContext:
    """Inputs of a scorer for one class group and explainer.

    Attributes:
        group: the B images, with their ground truth where the data set has one.
        explanation: one explainer's answer.
        foreground: prominent patches and pixels, before any explainer.
        image_embedding: (B, d) unit rows of the plain images.
        classes: (Y, d) unit rows, all classes.
        bare: (D, d) unit rows, the descriptors in the relevance template.
        prompted: (D, d) unit rows, the descriptors in their prompt.
        predicted: (B,) int64, the predicted classes.
        conditioning: (B,) int64, the class whose language concepts each image is compared with.
        member: (Y, D) bool, the language concepts of every class, or the same row by row.
        encode: uint8 pixels (n, 3, S, S) -> (n, d) embeddings, not normalised; runs the encoder in its own chunks.
        seed: seed of this group.
        explain_again: the group with other images, of which other things may be true, and a seed -> what the same
            explainer says of it; None where the pipeline cannot run again.
        seeded: whether the explanation depends on the seed.
        patch_size: side of a patch of the model, in pixels; None: the largest that fits.
    """

    group: ClassGroup
    explanation: GroupExplanation
    foreground: Foreground
    image_embedding: Tensor
    classes: Tensor
    bare: Tensor
    prompted: Tensor
    predicted: Tensor
    conditioning: Tensor
    member: Tensor | Membership
    encode: Callable[[Tensor], Tensor]
    seed: int
    explain_again: Callable[[ClassGroup, int], ExplainedGroup] | None = None
    seeded: bool = False
    patch_size: int | None = None


class Scorer(Protocol):
    """Scorer interface: columns of the rows of a run, computed from explanations.

    Which metrics follow from the columns stands in :mod:`mkbench.metrics.catalogue`; a scorer of one's own brings them
    as its attribute ``metrics``, a sequence of :class:`mkbench.metrics.ImageMetric`.
    """

    @property
    def name(self) -> str:
        """Name of the scorer, unique in a run."""
        ...

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Columns it fills, with their types; none of those that every run has."""
        ...

    @property
    def needs_ground_truth(self) -> bool:
        """Whether it compares with what is known of the images; that is read only if a scorer asks for it."""
        ...

    @property
    def needs_explanation(self) -> bool:
        """Whether its values depend on the explainer; if not, a group is scored once, for the model."""
        ...

    def settings(self) -> dict[str, object]:
        """Every choice that changes its numbers, as JSON; two runs are the same only if these are."""
        ...

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        """Return B values of each column; None where an image has none."""
        ...


def trim_rows(values: Tensor, counts: Tensor) -> list[list[Any]]:
    """Return padded (B, K) values as lists of each row's own length.

    >>> import torch
    >>> trim_rows(torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]))
    [[1, 2], [3]]
    """
    return [row[:count] for row, count in zip(values.tolist(), counts.tolist(), strict=True)]


def to_values(values: Tensor) -> list[Any]:
    """Return (B,) numbers as a list, None for NaN.

    >>> import torch
    >>> to_values(torch.tensor([0.5, torch.nan]))
    [0.5, None]
    """
    return [None if isnan(value) else value for value in values.tolist()]
