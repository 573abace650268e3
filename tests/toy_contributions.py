"""Contributions written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.heads import HeadContributions


def toy(
    heads: Tensor, *, length: float = 1.0, layers: Sequence[int] | None = None, attention: Tensor | None = None
) -> HeadContributions:
    """Contributions of which the heads, and the length of the embedding, are as given; all else is zero."""
    images, width = heads.shape[0], heads.shape[-1]
    tokens = heads.shape[2] if heads.ndim == 5 else 1
    zeros = heads.new_zeros(images, width)
    embedding = zeros.clone()
    embedding[:, 0] = length
    equal = heads.new_full((images, heads.shape[1], heads.shape[-2], tokens), 1 / tokens)
    return HeadContributions(
        heads=heads,
        mlp=zeros[:, None],
        initial=zeros,
        rest=zeros,
        constant=zeros,
        embedding=embedding,
        attention=equal if attention is None else attention,
        layers=tuple(range(heads.shape[1])) if layers is None else tuple(layers),
    )


def random_toy(*shape: int, seed: int = 0, **named: object) -> HeadContributions:
    return toy(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), **named)  # type: ignore[arg-type]
