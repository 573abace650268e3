"""What passes the blocks of a vision transformer, for explainers that look into it."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class TracedBlock(NamedTuple):
    """What passes one block; T tokens, the class token first and the N patches last in raster order; H heads.

    Attributes:
        entry: (B, T, C), the stream that enters, cut off from earlier blocks where gradients are recorded.
        query: (B, H, T, k), of the attention.
        key: (B, H, T, k).
        value: (B, H, T, k).
        weights: (B, H, T, T), after the softmax, in fp32.
        mixed: (B, T, H k), values mixed by the weights, heads side by side.
        output: (B, T, C), the stream that leaves, connected to ``weights`` and ``mixed``.
        project: mixed values (..., H k) -> what they add to the stream, (..., C).
    """

    entry: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor
    mixed: Tensor
    output: Tensor
    project: Callable[[Tensor], Tensor]


class BlockTrace(NamedTuple):
    """All blocks of one forward pass, each cut off from the others.

    Attributes:
        blocks: first to last.
        read: tokens of the stream (..., C) -> the joint space (..., d), through the final norm and the projection; of
            the last class token it gives the embedding.
    """

    blocks: tuple[TracedBlock, ...]
    read: Callable[[Tensor], Tensor]
