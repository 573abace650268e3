"""States that the metrics of attention heads share: a row of numbers for every head, in the order of the heads."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class HeadSlots(Metric):
    """Keeps a row of numbers for each head of a model, whichever process gives it.

    Subclasses say what the row holds and reduce the rows.

    Args:
        width: entries of a row.
        max_heads: most heads; a head of a higher number raises.

    Raises:
        ValueError: if ``max_heads`` is not positive.

    Example:
        >>> from mkbench.metrics import ConceptConsistency
        >>> metric = ConceptConsistency()
        >>> metric.put(torch.tensor([[4], [5]]), heads=[3, 1])
        >>> metric.rows().tolist()
        [[5.0], [4.0]]
    """

    is_differentiable = False
    full_state_update = False

    given: Tensor
    slots: Tensor

    def __init__(self, *, width: int, max_heads: int = 1024) -> None:
        super().__init__()
        if max_heads < 1:
            raise ValueError(f"max_heads must be at least 1, found {max_heads}")
        self.max_heads = max_heads
        # Fixed shapes and sums: a process without heads adds zeros, and the order is that of the numbers.
        self.add_state("given", torch.zeros(max_heads, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("slots", torch.zeros(max_heads, width, dtype=torch.float64), dist_reduce_fx="sum")

    def put(self, rows: Tensor, *, heads: Sequence[int] | None) -> None:
        """Fill the slots of some heads.

        Args:
            rows: (B, width) finite numbers.
            heads: B different numbers of the heads; None counts on from the highest of this process.

        Raises:
            ValueError: if a number is out of range, used before, or there is not one for each row.
        """
        first = int(self.given.nonzero().max()) + 1 if bool(self.given.any()) else 0
        numbers = list(range(first, first + len(rows))) if heads is None else list(heads)
        if len(numbers) != len(rows) or len(set(numbers)) != len(numbers):
            raise ValueError(f"expected {len(rows)} different numbers of heads, found {numbers}")
        if numbers and not 0 <= min(numbers) <= max(numbers) < self.max_heads:
            raise ValueError(
                f"expected numbers of heads in 0..{self.max_heads - 1}, found {min(numbers)}..{max(numbers)}: raise "
                "the argument max_heads"
            )
        places = torch.tensor(numbers, dtype=torch.int64, device=self.device)
        self._require_once(self.given[places] + 1)
        self.given[places] += 1
        self.slots[places] = rows.to(self.slots)

    def rows(self) -> Tensor:
        """Return the rows of all heads that were given, in the order of their numbers.

        Returns:
            (S, width) float64.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        self._require_once(self.given)
        return self.slots[self.given > 0]

    def _require_once(self, given: Tensor) -> None:
        if bool((given > 1).any()):
            raise ValueError("expected every head once, found a number used twice: give each head its own with heads=")
