"""Concept Consistency Scores of a set of attention heads."""

from collections.abc import Sequence

from torch import Tensor

from mkbench.metrics.functional.association import Fits
from mkbench.metrics.functional.concept_consistency import concept_consistency
from mkbench.metrics.head_slots import HeadSlots


class ConceptConsistency(HeadSlots):
    """Concept Consistency Score (CCS) of every head: how many of its five texts fit its label; higher is better.

    ``ccs_share`` and ``consistency_levels`` of :mod:`mkbench.metrics.functional` reduce the scores to CCS@K and to the
    numbers of heads of high, moderate and low consistency.

    Source: Madasu et al., EMNLP 2025, arXiv 2503.11103.

    Args:
        max_heads: most heads; a head of a higher number raises.

    Raises:
        ValueError: if ``max_heads`` is not positive.

    Example:
        >>> metric = ConceptConsistency()
        >>> metric.update([[True] * 5, [True, False, False, True, False]])
        >>> metric.compute()
        tensor([5, 2])
    """

    higher_is_better = True

    def __init__(self, *, max_heads: int = 1024) -> None:
        super().__init__(width=1, max_heads=max_heads)

    def update(self, fits: Fits, heads: Sequence[int] | None = None) -> None:
        """Add the judgements of some heads.

        Args:
            fits: (B, 5) bool, whether each of a head's first five texts fits its label.
            heads: B numbers of the heads, which decide the order; the default counts on from the highest of this
                process. Several processes must give them.

        Raises:
            ValueError: if fits are not bool (heads, 5), or a number is out of range or used before.
        """
        self.put(concept_consistency(fits)[:, None], heads=heads)

    def compute(self) -> Tensor:
        """(S,) int64 scores in the order of the heads, 0..5; empty without heads.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        return self.rows()[:, 0].long()
