"""Attention maps of PyTorch's attention layers, computed again because their forward pass keeps them to itself."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import MultiheadAttention
from torch.nn import functional as F


def attend(attention: MultiheadAttention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Compute self-attention with its weights in the open.

    Args:
        attention: batch-first, with one joint projection of queries, keys and values.
        tokens: (B, T, C).

    Returns:
        The output (B, T, C), and the weights (B, H, T, T) in fp32, to which the output stays connected: where gradients
        are recorded, it can be derived by them even if all parameters are frozen.

    >>> torch.manual_seed(0)
    <torch...>
    >>> layer, tokens = MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(1, 3, 8)
    >>> output, weights = attend(layer, tokens)
    >>> torch.allclose(output, layer(tokens, tokens, tokens)[0], atol=1e-6), weights.shape
    (True, torch.Size([1, 2, 3, 3]))
    """
    joint = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)  # (B, T, 3C)
    heads = joint.reshape(*tokens.shape[:2], 3, attention.num_heads, -1)  # (B, T, 3, H, C / H)
    query, key, value = heads.permute(2, 0, 3, 1, 4)  # (B, H, T, C / H)
    weights = (query.float() @ key.float().mT / math.sqrt(query.shape[-1])).softmax(dim=-1)  # (B, H, T, T)
    if torch.is_grad_enabled() and not weights.requires_grad:
        weights.requires_grad_()  # the first block of a frozen tower: nothing before it is to be derived
    mixed = weights.to(value.dtype) @ value  # (B, H, T, C / H)
    return F.linear(mixed.transpose(1, 2).flatten(2), attention.out_proj.weight, attention.out_proj.bias), weights


@contextmanager
def expose_attention(layers: Sequence[Any]) -> Iterator[list[Tensor]]:
    """Keep the attention weights of a forward pass, connected to all that follows; no hook outlives the context.

    Args:
        layers: attention layers, called in this order with the same batch-first queries, keys and values.

    Yields:
        A list that the forward pass fills with the weights (B, H, T, T) of every layer.

    >>> layer = MultiheadAttention(8, 2, batch_first=True).eval()
    >>> with expose_attention([layer]) as weights:
    ...     _ = layer(*[torch.randn(1, 3, 8)] * 3)
    >>> len(weights), len(layer._forward_hooks)
    (1, 0)
    """
    kept: list[Tensor] = []

    def compute_again(layer: Any, inputs: tuple[Tensor, ...], _: object) -> tuple[Tensor, None]:
        output, weights = attend(layer, inputs[0])
        kept.append(weights)
        return output, None

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(compute_again).remove)
        yield kept
