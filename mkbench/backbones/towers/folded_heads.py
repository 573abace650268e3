"""Output weights of attention heads folded with final norm and projection into the joint space."""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.backbones.towers.residual_tower import ResidualLayer, ResidualTower


class FoldedHeads(NamedTuple):
    """Folded output weights of a layer in the joint space, up to the scales that the norms give each image.

    Attributes:
        heads: (H, k, d), from what a head mixes to what it adds.
        bias: (d,), the output bias of the attention.
        shift: (d,), the shift of the norm between the attention and the stream.
    """

    heads: Tensor
    bias: Tensor
    shift: Tensor


@torch.no_grad()
def fold_heads(tower: ResidualTower, layer: ResidualLayer, dtype: torch.dtype) -> FoldedHeads:
    """Fold W_O,h diag(gamma)(I - 11'/D) P, and what norms and LayerScale lie between, into one matrix a head.

    Args:
        tower: the tower, for its final norm and projection.
        layer: the layer.
        dtype: the precision to compute in.

    >>> from mkbench import load_backbone
    >>> from mkbench.backbones.towers.find_tower import find_tower
    >>> tower = find_tower(load_backbone("ViT-S-32-alt", random_weights=True))
    >>> fold_heads(tower, tower.layers[0], torch.float32).heads.shape
    torch.Size([6, 64, 256])
    """
    weights = layer.attention
    output = weights.output.weight.to(dtype).T  # (H k, D)
    bias = weights.output.offset(output)  # (D,)
    if weights.inner_norm is not None:
        bias = bias + weights.inner_norm.shift.to(dtype) @ output
        output = weights.inner_norm.gain.to(dtype)[:, None] * output
        output = output - output.mean(dim=0)
    shift = torch.zeros_like(bias)
    if layer.post_norm is not None:
        output, bias, shift = (
            layer.post_norm.centre(output),
            layer.post_norm.centre(bias),
            layer.post_norm.shift.to(bias),
        )
    joined = torch.cat([output, bias[None], shift[None]])  # (H k + 2, D)
    if layer.scale is not None:
        joined = joined * layer.scale.to(dtype)
    read = tower.read(joined)  # (H k + 2, d)
    return FoldedHeads(read[:-2].view(weights.num_heads, weights.head_width, -1), read[-2], read[-1])
