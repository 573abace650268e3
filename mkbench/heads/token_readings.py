"""Mixed values of attention heads by token, before the joint space, which would take many times the memory."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenReadings:
    """Mixed values of the heads of some layers by token of B images, with their weights into the joint space.

    The contributions by token are their product, (B, L, T, H, d): a head is narrower than the joint space, so this is
    the smaller form of them, for whoever asks how far they go in a few directions.

    Attributes:
        mixed: of each of the L layers (B, T, H, k), with the scale of the final norm.
        folds: of each of the L layers (H, k, d), from what a head mixes to what it adds.
        embedding: (B, d), as the model computed it, not normalised.
        attention: (B, L, H, T), what each head takes from each token; sums to 1 over T.
        layers: the L layers, counted from 0.

    >>> readings = TokenReadings(mixed=(torch.ones(1, 2, 1, 1),), folds=(torch.tensor([[[3.0, 4.0]]]),),
    ...     embedding=torch.ones(1, 2), attention=torch.full((1, 1, 1, 2), 0.5), layers=(11,))
    >>> readings.along(torch.tensor([[0.0, 2.0]])).tolist()
    [[[[8.0], [8.0]]]]
    """

    mixed: tuple[Tensor, ...]
    folds: tuple[Tensor, ...]
    embedding: Tensor
    attention: Tensor
    layers: tuple[int, ...]

    def along(self, directions: Tensor) -> Tensor:
        """Return the product of what heads add by attending to each token with a direction of each image.

        Args:
            directions: (B, d), in the joint space.

        Returns:
            (B, L, T, H).

        Raises:
            ValueError: for directions of another shape.
        """
        if directions.shape != self.embedding.shape:
            raise ValueError(f"Expected directions {tuple(self.embedding.shape)}, got {tuple(directions.shape)}.")
        rows = directions.to(self.embedding)
        read = [torch.einsum("hkd,bd->bhk", fold, rows) for fold in self.folds]
        products = [torch.einsum("bthk,bhk->bth", mixed, own) for mixed, own in zip(self.mixed, read, strict=True)]
        return torch.stack(products, dim=1)
