"""Exact decomposition of image embeddings over attention heads and tokens of an unmodified model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.backbones.towers.attention import Norm
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.backbones.towers.folded_heads import FoldedHeads, fold_heads
from mkbench.backbones.towers.head_outputs import HeadOutputs, head_outputs
from mkbench.backbones.towers.hooks import Keep, WatchPoint, tap
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.token_readings import TokenReadings


@dataclass(frozen=True)
class Tape:
    """Activations that hooks keep of one forward pass.

    Attributes:
        streams: pooled rows of the stream, (B, D), by what they are ("start", "end", "branch" or "mlp") and by layer.
        readings: of every layer asked for.
    """

    streams: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    readings: dict[int, HeadOutputs] = field(default_factory=dict)


class Decomposer:
    """Decomposes the embeddings of many batches of images; the weights are folded once.

    The weights of the model must stay as they are, and where they are, while it is used.

    Args:
        backbone: a model of open_clip whose image tower is a vision transformer. Towers that end in an attention
            pooling (SigLIP, PE, CoCa) are decomposed over the heads of the pooling alone: one layer.

    Attributes:
        num_layers: how many layers can be asked for.
        num_heads: heads H of a layer.
        head_width: width k of a head.

    Raises:
        BackboneError: naming the model and the reason, if its embedding is no sum over attention heads.

    >>> from mkbench import load_backbone
    >>> decomposer = Decomposer(load_backbone("ViT-S-32-alt", random_weights=True))
    >>> terms = decomposer(torch.zeros(2, 3, 224, 224, dtype=torch.uint8), layers=[-1])
    >>> terms.heads.shape, terms.layers, torch.allclose(terms.total(), terms.embedding, atol=1e-5)
    (torch.Size([2, 1, 6, 256]), (11,), True)
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._tower = find_tower(backbone)
        self._model: Any = backbone.model
        self._folds: dict[int, FoldedHeads] = {}
        self.num_layers = len(self._tower.layers)
        self.num_heads = self._tower.layers[0].attention.num_heads
        self.head_width = self._tower.layers[0].attention.head_width

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the terms: that of the model, but at least fp32."""
        return torch.promote_types(self.backbone.dtype, torch.float32)

    def basis(self, layer: int) -> Tensor:
        """Return the folded output weights of a layer's heads, the rows that span what each head can add.

        Args:
            layer: counted from 0, or from the end if negative.

        Returns:
            (H, k, d).
        """
        return self._fold(self._find_layers([layer])[0]).heads

    @torch.no_grad()
    def __call__(
        self, images: Tensor, *, layers: Iterable[int] | None = None, tokens: bool = False
    ) -> HeadContributions:
        """Decompose the embeddings of a batch of images.

        Args:
            images: (B, 3, S, S) as for ``Backbone.encode_image``.
            layers: the layers whose heads are told apart, counted from 0, or from the end if negative; by default
                all. The other layers are summed into ``rest``.
            tokens: tell the tokens apart too; needs (B, L, T, H, d) numbers.

        Raises:
            ValueError: for no layer, or one that does not exist or is named twice.
        """
        chosen = self._find_layers(layers)
        tape, embedding, scale = self._record(images, chosen, by_token=tokens)
        return self._project(tape, chosen, embedding, scale)

    @torch.no_grad()
    def read_tokens(self, images: Tensor, *, layers: Iterable[int] | None = None) -> TokenReadings:
        """Return what heads take from each token, as (B, L, T, H, k) numbers, and not yet what they add by it.

        Args:
            images: (B, 3, S, S) as for ``Backbone.encode_image``.
            layers: the layers whose heads are told apart, counted from 0, or from the end if negative; by default all.

        Raises:
            ValueError: for no layer, or one that does not exist or is named twice.
        """
        chosen = self._find_layers(layers)
        tape, embedding, scale = self._record(images, chosen, by_token=True)
        return TokenReadings(
            mixed=tuple(tape.readings[index].mixed * scale[:, None, None, None] for index in chosen),
            folds=tuple(self._fold(index).heads for index in chosen),
            embedding=embedding,
            attention=torch.stack([tape.readings[index].attention for index in chosen], dim=1),
            layers=chosen,
        )

    def _record(self, images: Tensor, chosen: tuple[int, ...], *, by_token: bool) -> tuple[Tape, Tensor, Tensor]:
        """Run the model; return what was kept of it, the embedding (B, d), and the scale of the final norm (B,)."""
        pixels = self.backbone.prepare_pixels(images)
        norm = self._tower.norm
        shares = self._token_shares(pixels, norm) if norm is not None and self._tower.averages_normed else None
        tape = Tape()
        with tap(self._points(tape, chosen, shares, by_token)):
            embedding: Tensor = self._model.encode_image(pixels, normalize=False).to(self.dtype)  # (B, d)
        if norm is None or shares is not None:  # these shares hold the scale of each token
            return tape, embedding, embedding.new_ones(len(embedding))
        return tape, embedding, norm.scale(tape.streams["end", 0])

    def _find_layers(self, layers: Iterable[int] | None) -> tuple[int, ...]:
        asked = list(range(self.num_layers) if layers is None else layers)
        if not asked or any(not -self.num_layers <= layer < self.num_layers for layer in asked):
            raise ValueError(f"Expected layers of 0 to {self.num_layers - 1} for {self.backbone.name}, got {asked}.")
        chosen = tuple(layer % self.num_layers for layer in asked)
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"Expected every layer at most once, got {asked}.")
        return chosen

    def _fold(self, layer: int) -> FoldedHeads:
        if layer not in self._folds:
            self._folds[layer] = fold_heads(self._tower, self._tower.layers[layer], self.dtype)
        return self._folds[layer]

    def _token_shares(self, pixels: Tensor, norm: Norm) -> Tensor:
        """Find, in a pass of its own, how much each averaged token counts: 1 / (Q s_q), (B, Q)."""
        kept: list[Tensor] = []
        with tap([(self._tower.end, lambda stream, _: kept.append(norm.scale(self._rows(stream))))]):
            self._model.encode_image(pixels, normalize=False)
        return kept[0] / kept[0].shape[1]

    def _rows(self, stream: Tensor) -> Tensor:
        """Pick the rows (B, Q, D) that are read from what passes, (B, T, D) or (B, D)."""
        return (stream[:, None] if stream.ndim == 2 else stream)[:, self._tower.rows].to(self.dtype)

    def _pool(self, stream: Tensor, shares: Tensor | None) -> Tensor:
        rows = self._rows(stream)
        return rows.mean(dim=1) if shares is None else torch.einsum("bq,bqc->bc", shares, rows)  # (B, D)

    def _points(
        self, tape: Tape, chosen: tuple[int, ...], shares: Tensor | None, by_token: bool
    ) -> Iterator[tuple[WatchPoint, Keep]]:
        def pooled(kind: str, index: int = 0) -> Keep:
            return lambda stream, _: tape.streams.__setitem__((kind, index), self._pool(stream, shares))

        if self._tower.start is not None:
            yield self._tower.start, pooled("start")
        yield self._tower.end, pooled("end")
        for index, layer in enumerate(self._tower.layers):
            if layer.mlp is not None:
                yield WatchPoint(layer.mlp, "output"), pooled("mlp", index)
            if index in chosen:
                yield layer.entry, self._reader(tape.readings, index, shares, by_token)
            else:
                yield WatchPoint(layer.branch, "output"), pooled("branch", index)

    def _reader(self, kept: dict[int, HeadOutputs], index: int, shares: Tensor | None, by_token: bool) -> Keep:
        layer, rows = self._tower.layers[index], self._tower.rows

        def keep(stream: Tensor, rope: Tensor | None) -> None:
            kept[index] = head_outputs(layer, stream.to(self.dtype), rows, rope=rope, shares=shares, by_token=by_token)

        return keep

    def _project(self, tape: Tape, chosen: tuple[int, ...], embedding: Tensor, scale: Tensor) -> HeadContributions:
        tower = self._tower

        def read(kind: str, index: int = 0) -> Tensor:
            stream = tape.streams.get((kind, index))
            return torch.zeros_like(embedding) if stream is None else tower.read(stream) * scale[:, None]  # (B, d)

        every = range(self.num_layers)
        layers = [self._read_heads(index, tape.readings[index], scale) for index in chosen]
        return HeadContributions(
            heads=torch.stack([heads for heads, _ in layers], dim=1),
            mlp=torch.stack([read("mlp", index) for index in every], dim=1),
            initial=read("start"),
            rest=torch.stack([read("branch", index) for index in every]).sum(dim=0),
            constant=tower.constant(embedding) + torch.stack([biases for _, biases in layers]).sum(dim=0),
            embedding=embedding,
            attention=torch.stack([tape.readings[index].attention for index in chosen], dim=1),
            layers=chosen,
        )

    def _read_heads(self, index: int, reading: HeadOutputs, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Bring a layer to the joint space: its heads (B, H, d) or (B, T, H, d), and its biases (B, d)."""
        fold = self._fold(index)
        shape = (-1,) + (1,) * (reading.mixed.ndim - 1)
        heads = torch.einsum("...hk,hkd->...hd", reading.mixed * scale.view(shape), fold.heads)
        factors = torch.stack([reading.bias_factor, reading.shift_factor], dim=1) * scale[:, None]  # (B, 2)
        return heads, factors @ torch.stack([fold.bias, fold.shift])


def decompose(
    backbone: Backbone, images: Tensor, *, layers: Iterable[int] | None = None, tokens: bool = False
) -> HeadContributions:
    """Write image embeddings as a sum over attention heads, and over tokens if asked; exact up to rounding.

    z, the stream that a class token collects, is a sum over heads and MLPs. With mu its mean, s its deviation, gamma
    and beta of the final norm and P the projection, every term c counts Lin(c) = ((c - mean(c)) * gamma / s) P, and the
    embedding is the sum of all terms and beta P.

    Args:
        backbone: a model of open_clip; use a ``Decomposer`` for many batches.
        images: (B, 3, S, S) as for ``Backbone.encode_image``.
        layers: the layers whose heads are told apart, counted from 0, or from the end if negative; by default all.
        tokens: tell the tokens apart too.

    Returns:
        ``HeadContributions``, in the precision of the model, but at least fp32.

    Raises:
        BackboneError: naming the model and the reason, if its embedding is no sum over attention heads.
        ValueError: for no layer, one that does not exist or is named twice, or for pixels of another shape.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916).

    >>> from mkbench import load_backbone
    >>> backbone = load_backbone("ViT-S-32-alt", random_weights=True)
    >>> terms = decompose(backbone, torch.zeros(1, 3, 224, 224, dtype=torch.uint8), layers=range(-4, 0), tokens=True)
    >>> terms.heads.shape, terms.layers
    (torch.Size([1, 4, 50, 6, 256]), (8, 9, 10, 11))
    """
    return Decomposer(backbone)(images, layers=layers, tokens=tokens)
