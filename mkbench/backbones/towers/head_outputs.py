"""Outputs of the attention heads of one layer before their output weights, computed again from the layer's weights."""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.backbones.towers.attention import attention_rows, split_heads
from mkbench.backbones.towers.residual_tower import ResidualLayer


class HeadOutputs(NamedTuple):
    """Mixed values of the heads of one layer, before their output weights.

    Attributes:
        attention: (B, H, T), summing to 1.
        mixed: (B, H, k), or token by token (B, T, H, k).
        bias_factor: (B,), what the output bias of the attention is multiplied with.
        shift_factor: (B,), what the shift of the norm after the attention is multiplied with.
    """

    attention: Tensor
    mixed: Tensor
    bias_factor: Tensor
    shift_factor: Tensor


def head_outputs(
    layer: ResidualLayer,
    tokens: Tensor,
    rows: slice,
    *,
    rope: Tensor | None = None,
    shares: Tensor | None = None,
    by_token: bool = False,
) -> HeadOutputs:
    """Compute again what the queries of a layer take from each token, and what the heads mix of it.

    Args:
        layer: the layer.
        tokens: (B, T, C), as they enter the attention.
        rows: the tokens that ask, where the layer has no queries of its own.
        rope: the rotary embedding of the call.
        shares: how much each query counts, (B, Q); by default equally, together 1.
        by_token: tell the tokens apart.
    """
    weights = layer.attention
    rows_of_queries = attention_rows(weights, tokens, rows if layer.queries is None else layer.queries, rope=rope)
    images, _, asked, _ = rows_of_queries.shape  # (B, H, Q, T)
    shares = tokens.new_full((images, asked), 1 / asked) if shares is None else shares
    inner, outer = _norm_scales(layer, tokens, rows_of_queries)
    pooled = torch.einsum("bhqt,bq->bht", rows_of_queries, shares * inner * outer)
    return HeadOutputs(
        attention=rows_of_queries.mean(dim=2),
        mixed=_mix_by_token(layer, tokens, pooled) if by_token else _mix(layer, tokens, pooled),
        bias_factor=(shares * outer).sum(dim=1),
        shift_factor=shares.sum(dim=1),
    )


def _norm_scales(layer: ResidualLayer, tokens: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Find the scales (B, Q) of the norms inside and after an attention, which each query has of its own."""
    ones = tokens.new_ones(rows.shape[0], rows.shape[2])
    weights = layer.attention
    if weights.inner_norm is None and layer.post_norm is None:
        return ones, ones
    values = split_heads(weights.value(tokens), weights.num_heads).transpose(1, 2)  # (B, H, T, k)
    mixed = (rows @ values).transpose(1, 2).flatten(2)  # (B, Q, H k)
    inner = ones if weights.inner_norm is None else weights.inner_norm.scale(mixed)
    if layer.post_norm is None:
        return inner, ones
    normed = mixed if weights.inner_norm is None else weights.inner_norm.apply(mixed)
    return inner, layer.post_norm.scale(weights.output(normed))


def _mix(layer: ResidualLayer, tokens: Tensor, pooled: Tensor) -> Tensor:
    # Tokens are mixed before the value weights, so that these meet H rows an image and not T.
    weights = layer.attention
    value = weights.value.weight.to(tokens).view(weights.num_heads, weights.head_width, -1)  # (H, k, C)
    bias = split_heads(weights.value.offset(tokens), weights.num_heads)  # (H, k)
    mixed: Tensor = torch.einsum("bhc,hkc->bhk", pooled @ tokens, value) + pooled.sum(dim=-1, keepdim=True) * bias
    return mixed


def _mix_by_token(layer: ResidualLayer, tokens: Tensor, pooled: Tensor) -> Tensor:
    values = split_heads(layer.attention.value(tokens), layer.attention.num_heads)  # (B, T, H, k)
    return values * pooled.transpose(1, 2)[..., None]
