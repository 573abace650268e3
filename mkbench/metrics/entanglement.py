"""Entanglement of a set of attention heads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.functional.entanglement import (
    Mode,
    check_mode,
    entangled,
    entanglement,
    entanglement_interval,
)
from mkbench.metrics.head_slots import MAX_BYTES, HeadSlots, labels_of_bytes, labels_to_bytes, shorten_label
from mkbench.metrics.row_metric import Rows


class Entanglement(HeadSlots):
    """Share of heads whose label an earlier head has too; 0..1, lower is better.

    Definition: :func:`mkbench.metrics.functional.entanglement`. Labels are kept as UTF-8 bytes in tensors of a fixed
    shape, so that they travel between processes.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        mode: ``earlier``: a head before it has the label; ``any``: any other head.
        max_heads: most heads; a head of a higher number raises.
        columns: the column of labels.

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
    columns = ("label",)

    def __init__(self, mode: Mode = "earlier", *, max_heads: int = 4096, columns: Sequence[str] | None = None) -> None:
        check_mode(mode)
        super().__init__(width=MAX_BYTES, max_heads=max_heads, columns=columns)
        self.mode: Mode = mode

    def image_values(self, rows: Rows) -> Tensor:
        """Return whether each head is entangled with another of those given, (S,) float64."""
        labels = rows[self.columns[0]]
        return entangled(labels, mode=self.mode).double() if labels else torch.zeros(0, dtype=torch.float64)

    def update_rows(self, rows: Rows) -> Tensor:
        """Add heads by their rows; returns what ``image_values`` gives for them."""
        self.update([shorten_label(label) for label in rows[self.columns[0]]])
        return self.image_values(rows)

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return the interval over heads, whose share is measured anew in every sample."""
        return entanglement_interval(rows[self.columns[0]], mode=self.mode)

    def update(self, labels: Sequence[str], heads: Sequence[int] | None = None) -> None:
        """Add the labels of some heads.

        Args:
            labels: B labels; an empty one stands for a head without a label.
            heads: B numbers of the heads, which decide the order; the default counts on from the highest of this
                process. Several processes must give them.

        Raises:
            ValueError: for a label longer than 512 bytes, or a number that is out of range or used before.
        """
        self.put(labels_to_bytes(labels), heads=heads)

    def labels(self) -> list[str]:
        """Return the labels seen by this process in the order of the heads; of all inside ``sync_context()``."""
        return labels_of_bytes(self.rows())

    def compute(self) -> Tensor:
        """The share, float64; NaN without heads.

        Raises:
            ValueError: if two processes gave a head of the same number.
        """
        labels = self.labels()
        share = entanglement(labels, mode=self.mode) if labels else torch.nan
        return torch.tensor(share, dtype=torch.float64, device=self.device)
