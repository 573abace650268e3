"""Explained class group: images, features, foreground, explanations and scores of it."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mkbench.concepts import Foreground, GroupExplanation
from mkbench.datamodules.class_groups import ClassGroup


@dataclass(frozen=True)
class ExplainedGroup:
    """Explanation of a class group by one explainer, with its scores.

    Attributes:
        explanation: parts and concepts.
        hits: (B, Q) bool, which vision concepts are language concepts of the conditioning class.
        curves: (B, Q + 1) float64, mutual information while concepts are removed; 0 beyond an image's own length.
        chance: (B, Q + 1) float64, the same against the language concepts of other classes, averaged.
        entropy: (B,) float64, concept entropy.
        measured: column -> B values, of the run's scorers.
    """

    explanation: GroupExplanation
    hits: Tensor
    curves: Tensor
    chance: Tensor
    entropy: Tensor
    measured: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupResult:
    """Result of a class group, for callbacks that write or draw it.

    Attributes:
        group: the images.
        ranking: (B, up to 5) int64, predicted classes, best first.
        conditioning: (B,) int64, the class whose language concepts were used.
        foreground: prominent patches and pixels.
        explained: explainer name -> its answer.
    """

    group: ClassGroup
    ranking: Tensor
    conditioning: Tensor
    foreground: Foreground
    explained: dict[str, ExplainedGroup]
