"""Contributions of attention heads, MLPs and tokens to the image embedding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeadContributions:
    """Contributions that add up to the embedding of each of B images, in the joint space of width d, unnormalised.

    The scale of the final norm is taken as each image gave it, so that all terms are exact and linear.

    Attributes:
        heads: (B, L, H, d), what each head of the L layers asked for adds; or (B, L, T, H, d), what it adds by
            attending to each of T tokens, of which the last N are the patches in raster order.
        mlp: (B, M, d), the MLPs of all M layers of the tower; zeros for a layer without one.
        initial: (B, d), the stream before the first layer: of the class token, a constant up to the scale.
        rest: (B, d), the attention of the layers not asked for, their output biases included; zeros for all layers.
        constant: (B, d), what the image changes by its scale alone: the output biases of the layers asked for and the
            shift of the final norm.
        embedding: (B, d), as the model computed it.
        attention: (B, L, H, T), what each head takes from each token, averaged over the queries where the tower
            averages its patches; sums to 1 over T.
        layers: the L layers asked for, counted from 0.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916).

    >>> ones = torch.ones(2, 3)
    >>> terms = HeadContributions(heads=torch.ones(2, 1, 4, 3), mlp=torch.ones(2, 1, 3), initial=ones, rest=0 * ones,
    ...     constant=ones, embedding=7 * ones, attention=torch.full((2, 1, 4, 5), 0.2), layers=(0,))
    >>> torch.equal(terms.total(), terms.embedding), terms.per_head().shape
    (True, torch.Size([4, 2, 3]))
    """

    heads: Tensor
    mlp: Tensor
    initial: Tensor
    rest: Tensor
    constant: Tensor
    embedding: Tensor
    attention: Tensor
    layers: tuple[int, ...]

    @property
    def by_token(self) -> bool:
        """Whether ``heads`` tells the tokens apart."""
        return self.heads.ndim == 5

    def head_sums(self) -> Tensor:
        """Return what each head adds over all tokens, (B, L, H, d)."""
        return self.heads.sum(dim=2) if self.by_token else self.heads

    def per_head(self) -> Tensor:
        """Return the contributions head by head, layer after layer, (L H, B, d), as ``textspan`` takes them."""
        return self.head_sums().flatten(1, 2).transpose(0, 1)

    def total(self) -> Tensor:
        """Sum all terms, (B, d): the embedding up to rounding, or the embedding after terms were edited."""
        return self.head_sums().sum(dim=(1, 2)) + self.mlp.sum(dim=1) + self.initial + self.rest + self.constant

    def mean(self) -> "HeadContributions":
        """Average every term over the images: contributions of one image, B = 1."""
        return self.map(lambda terms: terms.mean(dim=0, keepdim=True))

    def map(self, change: Callable[[Tensor], Tensor]) -> "HeadContributions":
        """Apply a function to every tensor, such as a cast or a move to another device."""
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in _TENSORS}
        return replace(self, **changed)

    @staticmethod
    def concatenate(parts: Sequence["HeadContributions"]) -> "HeadContributions":
        """Join the contributions of batches of images.

        Raises:
            ValueError: for no batch, or batches of other layers or another resolution.
        """
        if len({(part.layers, part.by_token) for part in parts}) != 1:
            raise ValueError("Expected batches of contributions of the same layers, all by token or none.")
        joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in _TENSORS}
        return HeadContributions(**joined, layers=parts[0].layers)


_TENSORS = tuple(field.name for field in fields(HeadContributions) if field.name != "layers")
