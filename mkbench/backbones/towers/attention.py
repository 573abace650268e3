"""Projections of one attention layer, and the attention weights they give."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class Affine(NamedTuple):
    """A linear map with a bias: ``weight`` (out, in), ``bias`` (out,) or None.

    >>> import torch
    >>> Affine(torch.eye(2), torch.ones(2))(torch.zeros(1, 2))
    tensor([[1., 1.]])
    """

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        """Map rows (..., in) to (..., out) in the precision of the rows."""
        return F.linear(rows, self.weight.to(rows.dtype), None if self.bias is None else self.bias.to(rows.dtype))

    def offset(self, rows: Tensor) -> Tensor:
        """Return the bias, or zeros, in the precision and on the device of other rows."""
        return rows.new_zeros(len(self.weight)) if self.bias is None else self.bias.to(rows)


class Norm(NamedTuple):
    """A layer norm as data: ``gain`` and ``shift`` (D,), ``eps``.

    >>> import torch
    >>> norm = Norm(torch.ones(2), torch.zeros(2), 0.0)
    >>> norm.scale(torch.tensor([1.0, 5.0])), norm.apply(torch.tensor([1.0, 5.0]))
    (tensor(0.5000), tensor([-1.,  1.]))
    """

    gain: Tensor
    shift: Tensor
    eps: float

    def scale(self, rows: Tensor) -> Tensor:
        """Return what centred rows (..., D) are multiplied with, (...): one over their deviation."""
        return (rows.var(dim=-1, correction=0) + self.eps).rsqrt()

    def apply(self, rows: Tensor) -> Tensor:
        """Normalise rows (..., D)."""
        return F.layer_norm(rows, self.gain.shape, self.gain.to(rows.dtype), self.shift.to(rows.dtype), self.eps)

    def centre(self, rows: Tensor) -> Tensor:
        """Centre rows (..., D) and multiply with the gain: all of the norm that is the same for every input."""
        return (rows - rows.mean(dim=-1, keepdim=True)) * self.gain.to(rows)


@dataclass(frozen=True)
class AttentionProjections:
    """One attention layer: H heads of width k, inputs of width C, output of width D.

    Attributes:
        num_heads: H.
        query: (H k, C'), head after head.
        key: (H k, C).
        value: (H k, C).
        output: (D, H k).
        query_norm: norm of every head's queries, (k,).
        key_norm: norm of every head's keys, (k,).
        inner_norm: norm of all heads' mixed values together, (H k,), before ``output``.
        rotate: turns states (B, H, T, k) of all tokens by their place, given the layer's ``rope`` argument.
    """

    num_heads: int
    query: Affine
    key: Affine
    value: Affine
    output: Affine
    query_norm: Norm | None = None
    key_norm: Norm | None = None
    inner_norm: Norm | None = None
    rotate: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def head_width(self) -> int:
        """Width k of a head."""
        return len(self.value.weight) // self.num_heads


def attention_rows(
    weights: AttentionProjections, tokens: Tensor, queries: slice | Tensor, *, rope: Tensor | None = None
) -> Tensor:
    """Compute what every query takes from each token.

    Args:
        weights: the layer.
        tokens: (B, T, C), as they enter the layer.
        queries: which of the tokens ask, or the queries of a pooling layer, (1, Q, C').
        rope: the rotary embedding that the layer was called with.

    Returns:
        (B, H, Q, T), every row sums to 1.

    >>> import torch
    >>> weights = AttentionProjections(1, *[Affine(torch.eye(2))] * 4)
    >>> attention_rows(weights, torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), slice(0, 2))
    tensor([[[[0.6698, 0.3302],
              [0.5000, 0.5000]]]])
    """
    key = _states(weights, weights.key, weights.key_norm, tokens)  # (B, H, T, k)
    if isinstance(queries, Tensor):
        query = _states(weights, weights.query, weights.query_norm, queries.to(tokens))  # (1, H, Q, k)
    elif rope is None or weights.rotate is None:
        query = _states(weights, weights.query, weights.query_norm, tokens[:, queries])  # (B, H, Q, k)
    else:
        every = _states(weights, weights.query, weights.query_norm, tokens)
        query, key = weights.rotate(every, rope)[:, :, queries], weights.rotate(key, rope)
    return (query @ key.mT / math.sqrt(key.shape[-1])).softmax(dim=-1)


def split_heads(states: Tensor, num_heads: int) -> Tensor:
    """Split the last dimension into heads: (..., H k) -> (..., H, k).

    >>> import torch
    >>> split_heads(torch.zeros(5, 6), 2).shape
    torch.Size([5, 2, 3])
    """
    return states.reshape(*states.shape[:-1], num_heads, states.shape[-1] // num_heads)


def _states(weights: AttentionProjections, project: Affine, norm: Norm | None, tokens: Tensor) -> Tensor:
    states = split_heads(project(tokens), weights.num_heads).transpose(1, 2)  # (B, H, T, k)
    return states if norm is None else norm.apply(states)
