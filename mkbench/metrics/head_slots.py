"""States of the metrics of attention heads: a row of numbers for every head, in the order of the heads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.row_metric import RowMetric

#: Most bytes of a label.
MAX_BYTES = 512


class HeadSlots(RowMetric):
    """Keeps a row of numbers for each head of a model, whichever process gives it.

    Subclasses say what the row holds and reduce the rows.

    Args:
        width: entries of a row.
        max_heads: most heads; a head of a higher number raises.
        columns: the columns that it reads; None: those of its class.

    Raises:
        ValueError: if ``max_heads`` is not positive.
    """

    given: Tensor
    slots: Tensor

    def __init__(self, *, width: int, max_heads: int, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        if max_heads < 1:
            raise ValueError(f"max_heads must be at least 1, found {max_heads}")
        self.max_heads = max_heads
        # Fixed shapes and sums: a process without heads adds zeros, and the order is that of the numbers.
        self.add_state("given", torch.zeros(max_heads, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("slots", torch.zeros(max_heads, width, dtype=torch.uint8), dist_reduce_fx="sum")

    def put(self, rows: Tensor, *, heads: Sequence[int] | None) -> None:
        """Fill the slots of some heads.

        Args:
            rows: (B, width) whole numbers of 0..255.
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
            (S, width) whole numbers.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        self._require_once(self.given)
        return self.slots[self.given > 0]

    def _require_once(self, given: Tensor) -> None:
        if bool((given > 1).any()):
            raise ValueError("expected every head once, found a number used twice: give each head its own with heads=")


def labels_to_bytes(labels: Sequence[str]) -> Tensor:
    """Return labels as (B, MAX_BYTES) uint8 of UTF-8 with zeros behind.

    Raises:
        ValueError: for a label that is too long or holds a zero.

    >>> labels_of_bytes(labels_to_bytes(["colour", "Größe", ""]))
    ['colour', 'Größe', '']
    """
    coded = [label.encode() for label in labels]
    if any(len(code) > MAX_BYTES or 0 in code for code in coded):
        raise ValueError(f"expected labels of at most {MAX_BYTES} bytes without zeros, found {max(labels, key=len)!r}")
    rows = [list(code.ljust(MAX_BYTES, b"\0")) for code in coded]
    return torch.tensor(rows, dtype=torch.uint8).reshape(len(rows), MAX_BYTES)


def labels_of_bytes(rows: Tensor) -> list[str]:
    """Return the labels of (S, MAX_BYTES) bytes; the reverse of ``labels_to_bytes``."""
    return [bytes(row).rstrip(b"\0").decode() for row in rows.tolist()]


def shorten_label(label: str) -> str:
    """Cut a label to what the states hold; labels are compared from their beginning.

    >>> len(shorten_label("long " * 200))
    512
    """
    return label.encode()[:MAX_BYTES].decode(errors="ignore")
