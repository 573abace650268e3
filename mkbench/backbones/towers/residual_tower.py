"""The residual stream of an image tower: the layers that add to it, and how the embedding is read from it."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import Module

from mkbench.backbones.towers.attention import Affine, AttentionProjections, Norm
from mkbench.backbones.towers.hooks import WatchPoint

#: The rows that are read where a class token, or a pooling query, comes first.
CLASS_TOKEN = slice(0, 1)


@dataclass(frozen=True)
class ResidualLayer:
    """One attention layer that adds to the stream from which the embedding is read, and the MLP after it.

    Attributes:
        attention: its weights.
        entry: where its tokens (B, T, C) pass.
        branch: the module whose output joins the stream.
        mlp: the module whose output joins the stream after it; None without MLP.
        post_norm: norm between the attention and the stream.
        scale: LayerScale of the attention, (D,).
        queries: the queries (1, Q, C') of a pooling layer; None where the tokens ask.
    """

    attention: AttentionProjections
    entry: WatchPoint
    branch: Module
    mlp: Module | None
    post_norm: Norm | None = None
    scale: Tensor | None = None
    queries: Tensor | None = None


@dataclass(frozen=True)
class ResidualTower:
    """Residual stream of an image tower: its layers, and the rows that the embedding is read from.

    Attributes:
        layers: the layers that add to the stream, first to last.
        start: where the stream begins; None if a pooling layer begins it.
        end: where the stream, (B, T, D) or (B, D), is complete.
        rows: the tokens whose stream is read: the class token, or the patches, which are averaged.
        norm: the final norm.
        norm_first: whether the norm comes before the average over tokens.
        projection: from the stream to the joint space, (d, D).
    """

    layers: tuple[ResidualLayer, ...]
    start: WatchPoint | None
    end: WatchPoint
    rows: slice
    norm: Norm | None
    norm_first: bool
    projection: Affine

    @property
    def averages_normed(self) -> bool:
        """Whether tokens are averaged after the norm, so that each counts by a scale of its own."""
        return self.norm_first and self.rows != CLASS_TOKEN

    def read(self, stream: Tensor) -> Tensor:
        """Read terms of the stream in the joint space, up to the scale that the final norm gives each image.

        Args:
            stream: (..., D).

        Returns:
            (..., d), linear in the input.
        """
        centred = stream if self.norm is None else self.norm.centre(stream)
        return centred @ self.projection.weight.to(stream).T

    def constant(self, like: Tensor) -> Tensor:
        """Return the part of the embedding that no image changes, (d,), in the precision of another tensor."""
        shift = like.new_zeros(self.projection.weight.shape[1]) if self.norm is None else self.norm.shift.to(like)
        return self.projection(shift)
