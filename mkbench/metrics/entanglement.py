"""Entanglement of a set of attention heads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.functional.entanglement import Mode, check_mode, entanglement
from mkbench.metrics.head_slots import HeadSlots

MAX_BYTES = 128


class Entanglement(HeadSlots):
    """Share of heads whose label an earlier head has too; 0..1, lower is better.

    Definition: :func:`mkbench.metrics.functional.entanglement`. Labels are kept as UTF-8 bytes in tensors of a fixed
    shape, so that they travel between processes.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        mode: ``earlier``: a head before it has the label; ``any``: any other head.
        max_heads: most heads; a head of a higher number raises.

    Raises:
        ValueError: for an unknown mode, or if ``max_heads`` is not positive.

    Example:
        >>> metric = Entanglement()
        >>> metric.update(["location", "colour"])
        >>> metric.update(["locations", "shape"])
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
    """

    higher_is_better = False

    def __init__(self, mode: Mode = "earlier", *, max_heads: int = 1024) -> None:
        check_mode(mode)
        super().__init__(width=MAX_BYTES, max_heads=max_heads)
        self.mode: Mode = mode

    def update(self, labels: Sequence[str], heads: Sequence[int] | None = None) -> None:
        """Add the labels of some heads.

        Args:
            labels: B labels; an empty one stands for a head without a label.
            heads: B numbers of the heads, which decide the order; the default counts on from the highest of this
                process. Several processes must give them.

        Raises:
            ValueError: for a label longer than 128 bytes, or a number that is out of range or used before.
        """
        coded = [label.encode() for label in labels]
        if any(len(code) > MAX_BYTES or 0 in code for code in coded):
            raise ValueError(
                f"expected labels of at most {MAX_BYTES} bytes without zeros, found {max(labels, key=len)!r}"
            )
        rows = [list(code.ljust(MAX_BYTES, b"\0")) for code in coded]
        self.put(torch.tensor(rows).reshape(len(rows), MAX_BYTES), heads=heads)

    def labels(self) -> list[str]:
        """Return the labels seen by this process in the order of the heads; of all inside ``sync_context()``."""
        return [bytes(row).rstrip(b"\0").decode() for row in self.rows().long().tolist()]

    def compute(self) -> Tensor:
        """The share, float64; NaN without heads.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        labels = self.labels()
        share = entanglement(labels, mode=self.mode) if labels else torch.nan
        return torch.tensor(share, dtype=torch.float64, device=self.device)
