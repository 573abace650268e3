"""Attention maps of PyTorch's attention layers, computed again because their forward pass keeps them to itself."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import MultiheadAttention
from torch.nn import functional as F


class AttentionSteps(NamedTuple):
    """Intermediate results of one self-attention layer, all H heads.

    Attributes:
        query: (B, H, T, C / H).
        key: (B, H, T, C / H).
        value: (B, H, T, C / H).
        weights: (B, H, T, T) in fp32, after the softmax; what follows stays connected to them: where gradients are
            recorded, it can be derived by them even if all parameters are frozen.
        mixed: (B, T, C), the values mixed by the weights, heads side by side, before the output weights.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor
    mixed: Tensor


def attention_steps(attention: MultiheadAttention, tokens: Tensor, masked: Tensor | None = None) -> AttentionSteps:
    """Compute self-attention step by step, up to its output weights.

    Args:
        attention: batch-first, with one joint projection of queries, keys and values.
        tokens: (B, T, C).
        masked: (B, T) bool, tokens that no token takes anything from; each image needs one that is not.

    >>> layer, masked = MultiheadAttention(8, 2, batch_first=True), torch.tensor([[False, True, False]])
    >>> attention_steps(layer, torch.ones(1, 3, 8), masked).weights[0, 0, 0]
    tensor([0.5000, 0.0000, 0.5000], grad_fn=<SelectBackward0>)
    """
    joint = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)  # (B, T, 3C)
    heads = joint.reshape(*tokens.shape[:2], 3, attention.num_heads, -1)  # (B, T, 3, H, C / H)
    query, key, value = heads.permute(2, 0, 3, 1, 4)  # (B, H, T, C / H)
    scores = query.float() @ key.float().mT / math.sqrt(query.shape[-1])  # (B, H, T, T)
    if masked is not None:
        scores = scores.masked_fill(masked[:, None, None], -torch.inf)
    weights = scores.softmax(dim=-1)
    if torch.is_grad_enabled() and not weights.requires_grad:
        weights.requires_grad_()  # the first block of a frozen tower: nothing before it is to be derived
    mixed = weights.to(value.dtype) @ value  # (B, H, T, C / H)
    return AttentionSteps(query, key, value, weights, mixed.transpose(1, 2).flatten(2))


def attend(attention: MultiheadAttention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Compute self-attention with its weights in the open.

    Args:
        attention: as for ``attention_steps``.
        tokens: (B, T, C).

    Returns:
        The output (B, T, C), and the weights (B, H, T, T) that it stays connected to.

    >>> torch.manual_seed(0)
    <torch...>
    >>> layer, tokens = MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(1, 3, 8)
    >>> output, weights = attend(layer, tokens)
    >>> torch.allclose(output, layer(tokens, tokens, tokens)[0], atol=1e-6), weights.shape
    (True, torch.Size([1, 2, 3, 3]))
    """
    steps = attention_steps(attention, tokens)
    return attention.out_proj(steps.mixed), steps.weights


@contextmanager
def expose_attention(layers: Sequence[Any], masked: Tensor | None = None) -> Iterator[list[AttentionSteps]]:
    """Keep the steps of the attention of a forward pass, connected to all that follows; no hook outlives the context.

    Args:
        layers: attention layers, called in this order with the same batch-first queries, keys and values.
        masked: (B, T) bool, tokens that no token of any layer takes anything from.

    Yields:
        A list that the forward pass fills with the steps of every layer.

    >>> layer = MultiheadAttention(8, 2, batch_first=True).eval()
    >>> with expose_attention([layer]) as steps:
    ...     _ = layer(*[torch.randn(1, 3, 8)] * 3)
    >>> len(steps), len(layer._forward_hooks)
    (1, 0)
    """
    kept: list[AttentionSteps] = []

    def compute_again(layer: Any, inputs: tuple[Tensor, ...], _: object) -> tuple[Tensor, None]:
        kept.append(attention_steps(layer, inputs[0], masked))
        return layer.out_proj(kept[-1].mixed), None

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(compute_again).remove)
        yield kept
