"""Bank of head contributions of many images, searched for nearest images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_values import Head, pick_heads, unit_heads


@dataclass(frozen=True)
class HeadBank:
    """Contributions of the heads of some layers to the unit-length embeddings of many images.

    Attributes:
        heads: (images, L, H, d).
        ids: a name of each image; no two the same.
        layers: the L layers, counted from 0; the published banks hold the last four.
        model: what the contributions were computed with, such as the fingerprint of the model.

    Raises:
        ValueError: for shapes that do not fit, or a name given twice.

    >>> bank = HeadBank(torch.arange(4.0).view(2, 1, 2, 1), ids=("a", "b"), layers=(11,))
    >>> bank.rows([(11, 0), (11, 1)]).tolist(), bank.find("b")
    ([[0.5], [2.5]], 1)
    """

    heads: Tensor
    ids: tuple[str, ...]
    layers: tuple[int, ...]
    model: str = ""

    def __post_init__(self) -> None:
        if self.heads.ndim != 4 or self.heads.shape[:2] != (len(self.ids), len(self.layers)):
            raise ValueError(
                f"Expected heads ({len(self.ids)}, {len(self.layers)}, H, d) of {len(self.ids)} images and "
                f"{len(self.layers)} layers, got {tuple(self.heads.shape)}."
            )
        for name, values in (("image", self.ids), ("layer", self.layers)):
            if len(set(values)) < len(values):
                raise ValueError(f"Expected every {name} once, got one of them twice.")

    @staticmethod
    def from_contributions(
        contributions: HeadContributions,
        ids: Sequence[str],
        *,
        layers: Sequence[int] | None = None,
        model: str = "",
    ) -> "HeadBank":
        """Collect the contributions of images, scaled to embeddings of length 1.

        Those of a finished run come from its ``ContributionStore``, batch by batch: ``HeadBank.concatenate([
        HeadBank.from_contributions(store.read(group), group.sample_ids) for group in store.groups])``.

        Args:
            contributions: of as many images as there are names.
            ids: a name of each image.
            layers: which layers to keep; by default all that the contributions tell apart.
            model: what computed them.

        Raises:
            ValueError: for a layer that is not there, or what ``HeadBank`` refuses.
        """
        kept = contributions.layers if layers is None else tuple(layers)
        if not set(kept) <= set(contributions.layers):
            raise ValueError(f"Expected layers of {list(contributions.layers)}, got {list(kept)}.")
        heads = unit_heads(contributions)
        summed = heads.sum(dim=2) if contributions.by_token else heads  # (images, L, H, d)
        return HeadBank(summed[:, [contributions.layers.index(layer) for layer in kept]], tuple(ids), kept, model)

    @staticmethod
    def concatenate(banks: Sequence["HeadBank"]) -> "HeadBank":
        """Join the banks of batches.

        Raises:
            ValueError: for no bank, or banks of different layers or models.
        """
        if len({(bank.layers, bank.model) for bank in banks}) != 1:
            raise ValueError("Expected banks of the same layers of one model.")
        ids = tuple(name for bank in banks for name in bank.ids)
        return HeadBank(torch.cat([bank.heads for bank in banks]), ids, banks[0].layers, banks[0].model)

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, image: str | None) -> int | None:
        """Return the place of an image; None for one that is not there."""
        return self.ids.index(image) if image in self.ids else None

    def rows(self, heads: Sequence[Head]) -> Tensor:
        """Average what some heads add, (images, d).

        Raises:
            ValueError: for no head, or one that is not there.
        """
        return pick_heads(self.heads, heads, layers=self.layers).mean(dim=1)
