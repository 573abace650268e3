"""Concept Consistency Scores of a set of attention heads."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from mkbench.metrics.functional.association import Fits
from mkbench.metrics.functional.concept_consistency import (
    MODERATE,
    MOST_LOW,
    NUM_TEXTS,
    concept_consistency,
    concept_consistency_ratio,
)
from mkbench.metrics.head_rows import HeadMetric
from mkbench.metrics.head_slots import MAX_BYTES, HeadSlots, labels_of_bytes, labels_to_bytes, shorten_label
from mkbench.metrics.proportion import ProportionMetric
from mkbench.metrics.row_metric import Rows

Level = Literal["high", "moderate", "low"]
_LEVELS: dict[Level, tuple[int, ...]] = {
    "high": (NUM_TEXTS,),
    "moderate": (MODERATE,),
    "low": tuple(range(MOST_LOW + 1)),
}


class ConceptConsistency(HeadMetric):
    """Mean Concept Consistency Score (CCS): how many of a head's five texts fit its label; 0..5, higher is better.

    Source: Madasu et al., EMNLP 2025, arXiv 2503.11103.

    Args:
        columns: the column of judgements.

    Example:
        >>> metric = ConceptConsistency()
        >>> metric.update([[True] * 5, [True, False, False, True, False]])
        >>> metric.compute()
        tensor(3.5000, dtype=torch.float64)
    """

    higher_is_better = True

    def score(self, fits: Fits) -> Tensor:
        """Return the score of each head, (S,) int64."""
        return concept_consistency(fits)


class ConceptConsistencyShare(ProportionMetric, HeadMetric):
    """CCS@K: share of heads whose Concept Consistency Score is exactly K; 0..1, the shares of all K add up to 1.

    Source: Madasu et al., EMNLP 2025, arXiv 2503.11103.

    Args:
        k: the score, 0..5.
        columns: the column of judgements.

    Raises:
        ValueError: a score out of range.

    Example:
        >>> metric = ConceptConsistencyShare(5)
        >>> metric.update([[True] * 5, [True, False, False, True, False]])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    def __init__(self, k: int, *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        if not 0 <= k <= NUM_TEXTS:
            raise ValueError(f"k must lie in 0..{NUM_TEXTS}, found {k}")
        self.k = k

    def score(self, fits: Fits) -> Tensor:
        """Return whether each head has the score, (S,) bool."""
        return concept_consistency(fits) == self.k


class ConceptConsistencyCount(ProportionMetric, HeadMetric):
    """Number of heads of high (CCS 5), moderate (3) or low (at most 1) consistency.

    Source: Madasu et al., EMNLP 2025, arXiv 2503.11103.

    Args:
        level: ``high``, ``moderate`` or ``low``.
        columns: the column of judgements.

    Raises:
        ValueError: an unknown level.

    Example:
        >>> metric = ConceptConsistencyCount("low")
        >>> metric.update([[True] * 5, [False] * 5, [True] + [False] * 4])
        >>> metric.compute()
        tensor(2., dtype=torch.float64)
    """

    def __init__(self, level: Level, *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        if level not in _LEVELS:
            raise ValueError(f"level must be one of {', '.join(_LEVELS)}, found {level!r}")
        self.level = level

    def score(self, fits: Fits) -> Tensor:
        """Return whether each head is of the level, (S,) bool."""
        return torch.isin(concept_consistency(fits), torch.tensor(_LEVELS[self.level]))

    def compute(self) -> Tensor:
        """The number of heads, float64; NaN without heads."""
        return torch.where(self.images > 0, self.total[0], torch.nan)

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return the interval of the share of heads times their number."""
        share = super().interval(values, rows)
        return None if share is None else (share[0] * len(values), share[1] * len(values))


class ConceptConsistencyRatio(HeadSlots):
    """CCR: concepts held by more than one head of CCS 5, for each head of CCS 5; 0..0.5.

    Definition: :func:`mkbench.metrics.functional.concept_consistency_ratio`.

    Source: Madasu et al., EMNLP 2025, arXiv 2503.11103.

    Args:
        columns: the columns of labels and judgements.
        max_heads: most heads; a head of a higher number raises.

    Raises:
        ValueError: if ``max_heads`` is not positive.

    Example:
        >>> metric = ConceptConsistencyRatio()
        >>> metric.update(["animal", "animals", "shape"], [[True] * 5] * 3)
        >>> metric.compute()
        tensor(0.3333, dtype=torch.float64)
    """

    columns = ("label", "fits")

    def __init__(self, *, columns: Sequence[str] | None = None, max_heads: int = 4096) -> None:
        super().__init__(width=MAX_BYTES + 1, max_heads=max_heads, columns=columns)

    def image_values(self, rows: Rows) -> Tensor:
        """Return, (S,) float64, the ratio itself for heads of CCS 5, and NaN for the others, which do not count."""
        labels, fits = (rows[column] for column in self.columns)
        scores = concept_consistency(torch.tensor(fits, dtype=torch.bool))
        ratio = concept_consistency_ratio(labels, scores) if len(scores) else torch.nan
        return torch.where(scores == NUM_TEXTS, ratio, torch.nan).double()

    def update(self, labels: Sequence[str], fits: Fits, heads: Sequence[int] | None = None) -> None:
        """Add some heads.

        Args:
            labels: B labels; an empty one stands for a head without a label.
            fits: (B, 5) bool, whether each of a head's first five texts fits its label.
            heads: B numbers of the heads; the default counts on from the highest of this process. Several processes
                must give them.

        Raises:
            ValueError: for a label that is too long, fits of another shape, or a number out of range or used before.
        """
        self.put(torch.cat([labels_to_bytes(labels), concept_consistency(fits)[:, None]], dim=1), heads=heads)

    def compute(self) -> Tensor:
        """The ratio, float64; NaN without heads of CCS 5.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        rows = self.rows()
        labels, scores = labels_of_bytes(rows[:, :-1]), rows[:, -1].long()
        ratio = concept_consistency_ratio(labels, scores) if len(scores) else torch.nan
        return torch.tensor(ratio, dtype=torch.float64, device=self.device)

    def update_rows(self, rows: Rows) -> Tensor:
        """Add heads by their rows; returns what ``image_values`` gives for them."""
        labels, fits = (rows[column] for column in self.columns)
        self.update([shorten_label(label) for label in labels], fits)
        return self.image_values(rows)

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """There is none: the few heads of CCS 5 are no sample."""
        return None
