"""Selections of head contributions: at unit embeddings, of some heads, of the patches alone."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mkbench.heads.contributions import HeadContributions

#: A layer, counted from 0, and a head of it.
Head = tuple[int, int]


def unit_heads(contributions: HeadContributions) -> Tensor:
    """Scale what the heads of each image add so that the embedding of the image has length 1.

    Args:
        contributions: of B images, by token or not.

    Returns:
        (B, L, H, d) or (B, L, T, H, d), the shape of ``contributions.heads``; zeros for an embedding of zeros.

    >>> ones = torch.ones(1, 4)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 1, 4), mlp=torch.zeros(1, 1, 4), initial=0 * ones,
    ...     rest=0 * ones, constant=0 * ones, embedding=ones, attention=torch.ones(1, 1, 1, 1), layers=(0,))
    >>> unit_heads(terms).flatten()
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    lengths = embedding_lengths(contributions.embedding)
    return contributions.heads / lengths.view(-1, *[1] * (contributions.heads.ndim - 1))


def embedding_lengths(embedding: Tensor) -> Tensor:
    """Return the length of each of B embeddings (B, d), to divide by: (B,), 1 for an embedding of zeros.

    >>> embedding_lengths(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([5., 1.])
    """
    lengths = embedding.norm(dim=-1)
    return torch.where(lengths > 0, lengths, 1)


def unit_terms(contributions: HeadContributions) -> HeadContributions:
    """Divide all terms of each image by the length of its embedding; what heads take from tokens stays as it is.

    >>> ones = torch.ones(1, 4)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 1, 4), mlp=torch.zeros(1, 1, 4), initial=0 * ones,
    ...     rest=0 * ones, constant=0 * ones, embedding=ones, attention=torch.ones(1, 1, 1, 1), layers=(0,))
    >>> unit_terms(terms).total()
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    lengths = embedding_lengths(contributions.embedding)

    def scale(terms: Tensor) -> Tensor:
        return terms / lengths.view(-1, *[1] * (terms.ndim - 1))

    return replace(contributions.map(scale), attention=contributions.attention)


def pick_heads(values: Tensor, heads: Sequence[Head], *, layers: Sequence[int]) -> Tensor:
    """Pick heads by their layer and number.

    Args:
        values: (..., L, H, d).
        heads: S pairs of a layer and a head.
        layers: the L layers.

    Returns:
        (..., S, d).

    Raises:
        ValueError: for no head, or one that is not there.

    >>> pick_heads(torch.arange(4.0).view(2, 2, 1), [(9, 1)], layers=(8, 9))
    tensor([[3.]])
    """
    width = values.shape[-2]
    if not heads or any(layer not in layers or not 0 <= head < width for layer, head in heads):
        raise ValueError(f"Expected heads of the layers {list(layers)}, 0 to {width - 1}, got {list(heads)}.")
    places = torch.tensor([list(layers).index(layer) * width + head for layer, head in heads], device=values.device)
    return values.flatten(-3, -2).index_select(-2, places)


def patch_contributions(contributions: HeadContributions, grid: tuple[int, int]) -> Tensor:
    """Return what heads add by attending to the patches, without the class token, (B, L, N, H, d).

    Args:
        contributions: by token.
        grid: rows and columns of the patches.

    Raises:
        ValueError: for contributions without tokens, or of fewer tokens than patches.

    >>> ones = torch.ones(1, 1)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 5, 2, 1), mlp=ones[None], initial=ones, rest=ones,
    ...     constant=ones, embedding=ones, attention=torch.ones(1, 1, 2, 5), layers=(11,))
    >>> patch_contributions(terms, (2, 2)).shape
    torch.Size([1, 1, 4, 2, 1])
    """
    if not contributions.by_token:
        raise ValueError("Expected contributions by token; decompose with tokens=True.")
    patches, tokens = grid[0] * grid[1], contributions.heads.shape[2]
    if not 0 < patches <= tokens:
        raise ValueError(f"Expected a grid of at most {tokens} patches, got {grid[0]} x {grid[1]}.")
    return contributions.heads[:, :, tokens - patches :]
