"""Mean ablation of MLPs, heads and tokens, and reconstruction of heads from their TEXTSPAN texts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mkbench.heads.contributions import HeadContributions
from mkbench.heads.text_span import TextSpan


def mean_ablate(
    contributions: HeadContributions,
    *,
    heads: Iterable[tuple[int, int]] = (),
    mlp: Iterable[int] = (),
    tokens: Sequence[int] | None = None,
    rest: bool = False,
    initial: bool = False,
    means: HeadContributions | None = None,
) -> HeadContributions:
    """Replace terms by their mean over images, so that they tell no image from another. Direct effects only.

    Args:
        contributions: of B images.
        heads: pairs of a layer, one of ``contributions.layers``, and a head.
        mlp: layers whose MLP is replaced, counted from 0.
        tokens: replace only what the heads add by attending to these tokens, such as ``[0]`` for the class token;
            needs contributions by token.
        rest: replace the attention of the layers that were not asked for.
        initial: replace the stream before the first layer.
        means: the contributions of one image that take the place of the terms, such as ``other.mean()``, so that
            batches share one mean; by default the mean of these images.

    Returns:
        The edited contributions. Their ``total()`` is the rebuilt embedding; ``embedding`` is still the model's.

    Raises:
        ValueError: for a layer, head or token that is not there.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), section 3.

    >>> terms = HeadContributions(heads=torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), mlp=torch.zeros(2, 1, 1),
    ...     initial=torch.zeros(2, 1), rest=torch.zeros(2, 1), constant=torch.ones(2, 1), embedding=torch.ones(2, 1),
    ...     attention=torch.ones(2, 1, 1, 1), layers=(11,))
    >>> mean_ablate(terms, heads=[(11, 0)]).total().flatten()
    tensor([3., 3.])
    """
    means = contributions.mean() if means is None else means
    places = _head_mask(contributions, list(heads), tokens)
    blocks = _mask(contributions.mlp.shape[1], list(mlp), name="MLPs").to(contributions.mlp.device)[:, None]
    return replace(
        contributions,
        heads=torch.where(places.to(contributions.heads.device), means.heads, contributions.heads),
        mlp=torch.where(blocks, means.mlp, contributions.mlp),
        rest=means.rest.expand_as(contributions.rest) if rest else contributions.rest,
        initial=means.initial.expand_as(contributions.initial) if initial else contributions.initial,
    )


def _head_mask(contributions: HeadContributions, pairs: list[tuple[int, int]], tokens: Sequence[int] | None) -> Tensor:
    """Mark the places in (L, H, 1) or (L, T, H, 1) that are replaced."""
    width = contributions.heads.shape[-2]
    mask = torch.zeros(len(contributions.layers), width, dtype=torch.bool)
    for layer, head in pairs:
        if layer not in contributions.layers or not 0 <= head < width:
            raise ValueError(
                f"Expected heads of the layers {list(contributions.layers)}, 0 to {width - 1}, got {(layer, head)}."
            )
        mask[contributions.layers.index(layer), head] = True
    if not contributions.by_token:
        if tokens is not None:
            raise ValueError("Expected contributions by token to replace tokens; decompose with tokens=True.")
        return mask[..., None]
    count = contributions.heads.shape[2]
    chosen = torch.ones(count, dtype=torch.bool) if tokens is None else _mask(count, list(tokens), name="tokens")
    return mask[:, None, :, None] & chosen[:, None, None]


def _mask(size: int, chosen: list[int], *, name: str) -> Tensor:
    if any(not 0 <= index < size for index in chosen):
        raise ValueError(f"Expected {name} of 0 to {size - 1}, got {chosen}.")
    mask = torch.zeros(size, dtype=torch.bool)
    mask[chosen] = True
    return mask


def replace_heads(contributions: HeadContributions, per_head: Tensor) -> HeadContributions:
    """Replace what all heads of the layers asked for add.

    Args:
        contributions: of B images.
        per_head: (L H, B, d), head by head, as ``contributions.per_head()`` gives them.

    Returns:
        The edited contributions, no longer by token. Their ``total()`` is the rebuilt embedding.

    Raises:
        ValueError: for another shape.

    >>> terms = HeadContributions(heads=torch.ones(2, 1, 3, 4), mlp=torch.zeros(2, 1, 4), initial=torch.zeros(2, 4),
    ...     rest=torch.zeros(2, 4), constant=torch.zeros(2, 4), embedding=torch.ones(2, 4),
    ...     attention=torch.ones(2, 1, 3, 1), layers=(0,))
    >>> replace_heads(terms, 2 * terms.per_head()).total()[0]
    tensor([6., 6., 6., 6.])
    """
    sums = contributions.head_sums()  # (B, L, H, d)
    images, layers, heads, width = sums.shape
    if tuple(per_head.shape) != (layers * heads, images, width):
        raise ValueError(f"Expected ({layers * heads}, {images}, {width}), got {tuple(per_head.shape)}.")
    return replace(contributions, heads=per_head.transpose(0, 1).reshape(sums.shape))


def reconstruct_heads(contributions: HeadContributions, span: TextSpan) -> HeadContributions:
    """Replace every head by what its texts keep of it; how accurate the rebuilt embeddings are is its completeness.

    Args:
        contributions: of B images, those of the span or others.
        span: of all heads of the layers asked for: ``textspan(contributions.per_head(), ...)``.

    Returns:
        The edited contributions, no longer by token. Their ``total()`` is the rebuilt embedding.

    Raises:
        ValueError: if the span is of another number of heads.

    >>> terms = HeadContributions(heads=torch.tensor([[1.0, 5.0], [3.0, 6.0]]).view(2, 1, 1, 2),
    ...     mlp=torch.zeros(2, 1, 2), initial=torch.zeros(2, 2), rest=torch.zeros(2, 2), constant=torch.zeros(2, 2),
    ...     embedding=torch.ones(2, 2), attention=torch.ones(2, 1, 1, 1), layers=(0,))
    >>> from mkbench.heads import textspan
    >>> reconstruct_heads(terms, textspan(terms.per_head(), torch.eye(2), num_texts=1)).total()
    tensor([[1.0000, 5.5000],
            [3.0000, 5.5000]])
    """
    per_head = contributions.per_head()
    if span.directions.ndim != 3 or len(span.directions) != len(per_head):
        raise ValueError(f"Expected a span of {len(per_head)} heads, got one of {tuple(span.indices.shape)} texts.")
    return replace_heads(contributions, span.reconstruct(per_head))
