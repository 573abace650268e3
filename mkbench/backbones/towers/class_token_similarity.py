"""Similarity of the class token and the patches of an image, layer by layer."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones.base import Backbone
from mkbench.backbones.towers.attention import Affine
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.backbones.towers.hooks import Keep, WatchPoint, tap
from mkbench.backbones.towers.residual_tower import CLASS_TOKEN, ResidualTower
from mkbench.errors import BackboneError


class ClassTokenSimilarity(NamedTuple):
    """Mean cosine of the class token and the patches of its image, -1..1.

    Attributes:
        tokens: (B, L) float64, of the stream after each of L layers.
        keys: (B, L) float64, of the keys of each layer's attention, heads side by side.
    """

    tokens: Tensor
    keys: Tensor


class _Tape:
    """What passes the layers, as similarities: the stream is the sum of what they add to it."""

    def __init__(self, patches: int) -> None:
        self.patches = patches
        self.stream = torch.zeros(())
        self.tokens: list[Tensor] = []
        self.keys: list[Tensor] = []

    def similarity(self, rows: Tensor) -> Tensor:
        """Mean cosine (B,) of the first row of (B, T, C) and the last ones, the patches."""
        unit = F.normalize(rows.double(), dim=-1)
        return (unit[:, :1] @ unit[:, -self.patches :].mT).mean(dim=(1, 2))

    def read_keys(self, key: Affine, tokens: Tensor, _: Tensor | None) -> None:
        self.keys.append(self.similarity(key(tokens)))

    def begin(self, stream: Tensor, _: Tensor | None) -> None:
        self.stream = stream

    def add(self, branch: Tensor, _: Tensor | None) -> None:
        self.stream = self.stream + branch

    def end_layer(self, branch: Tensor, _: Tensor | None) -> None:
        self.add(branch, None)
        self.tokens.append(self.similarity(self.stream))


@torch.no_grad()
def class_token_similarity(backbone: Backbone, images: Tensor) -> ClassTokenSimilarity:
    """Compare the class token with the patches of each image after every layer.

    A token that collects an image from its patches comes to say what none of them says: where the cosine falls, patches
    and class token part. Tokens and keys are the two kinds of patch features that parts are found in.

    Source: after Figure 1 of the appendix of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016; that similarity is
    the mean cosine with the patches is ours.

    Args:
        backbone: a vision transformer of open_clip whose embedding is read from a class token, in evaluation mode.
        images: (B, 3, S, S) as for ``Backbone.encode_image``.

    Returns:
        `ClassTokenSimilarity` over all layers, the first first.

    Raises:
        BackboneError: the model has no class token, or its layers cannot be told apart.

    Example:
        >>> from mkbench import load_backbone
        >>> backbone = load_backbone("critters-vit-s")
        >>> found = class_token_similarity(backbone, torch.zeros(2, 3, 80, 80, dtype=torch.uint8))
        >>> found.tokens.shape == found.keys.shape
        True
    """
    tower = find_tower(backbone)
    if tower.start is None or tower.rows != CLASS_TOKEN:
        raise BackboneError(
            f"Expected a vision transformer with a class token, found {backbone.name}, which averages or pools its "
            "tokens; choose one such as ViT-B-16."
        )
    height, width = backbone.grid
    tape = _Tape(height * width)
    with tap(_points(tower, tape)):
        backbone.encode_image(images)
    return ClassTokenSimilarity(torch.stack(tape.tokens, dim=1), torch.stack(tape.keys, dim=1))


def _points(tower: ResidualTower, tape: _Tape) -> Iterator[tuple[WatchPoint, Keep]]:
    if tower.start is not None:
        yield tower.start, tape.begin
    for layer in tower.layers:
        yield layer.entry, partial(tape.read_keys, layer.attention.key)
        yield WatchPoint(layer.branch, "output"), tape.end_layer if layer.mlp is None else tape.add
        if layer.mlp is not None:
            yield WatchPoint(layer.mlp, "output"), tape.end_layer
