"""References of the explainers that look into a vision transformer: image by image, head by head, as published."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.backbones import Backbone


@dataclass
class Block:
    """What passes one block for one image: lists over heads, and the streams (T, C) before and after it."""

    entry: Tensor
    queries: list[Tensor]
    keys: list[Tensor]
    values: list[Tensor]
    attention: list[Tensor]
    mixed: Tensor
    output: Tensor
    layer: torch.nn.MultiheadAttention


def walk(backbone: Backbone, image: Tensor, hidden: tuple[int, ...] = ()) -> list[Block]:
    """The tower head by head; no token takes anything from the hidden patches."""
    visual = backbone.model.visual
    stream = visual._embeds(backbone.prepare_pixels(image[None]).requires_grad_())[0]  # (T, C)
    blocks = []
    for block in visual.transformer.resblocks:
        entry, layer = stream, block.attn
        normed = block.ln_1(stream)
        joint = normed @ layer.in_proj_weight.T + layer.in_proj_bias
        width = stream.shape[1] // layer.num_heads
        queries, keys, values = ([part[:, h * width : (h + 1) * width] for h in range(layer.num_heads)]
                                 for part in joint.chunk(3, dim=1))  # fmt: skip
        attention = []
        for query, key in zip(queries, keys, strict=True):
            scores = query @ key.T / math.sqrt(width)
            for patch in hidden:
                scores[:, 1 + patch] = -math.inf
            attention.append(torch.exp(scores) / torch.exp(scores).sum(dim=1, keepdim=True))
        mixed = torch.cat([rows @ value for rows, value in zip(attention, values, strict=True)], dim=1)
        stream = stream + layer.out_proj(mixed)
        stream = stream + block.mlp(block.ln_2(stream))
        blocks.append(Block(entry, queries, keys, values, attention, mixed, stream, layer))
    return blocks


def read(backbone: Backbone, token: Tensor) -> Tensor:
    """A token of the stream (C,) as a unit vector of the joint space."""
    visual = backbone.model.visual
    projected = visual.ln_post(token) @ visual.proj
    return projected / projected.norm()


def score(backbone: Backbone, token: Tensor, class_embedding: Tensor) -> Tensor:
    return read(backbone, token) @ class_embedding


def grad_eclip(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
    last = walk(backbone, image)[-1]
    (slope,) = torch.autograd.grad(score(backbone, last.output[0], class_embedding), last.mixed)
    query = torch.cat(last.queries, dim=1)[0]
    keys, values = torch.cat(last.keys, dim=1)[1:], torch.cat(last.values, dim=1)[1:]
    cosines = [query @ key / (query.norm() * key.norm()) for key in keys]
    least, most = min(cosines), max(cosines)
    rows = [(cosine - least) / (most - least) * (slope[0] @ v) for cosine, v in zip(cosines, values, strict=True)]
    return torch.stack(rows).clamp(min=0).detach().reshape(backbone.grid)


def legrad(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
    maps = []
    for block in walk(backbone, image):
        slopes = torch.autograd.grad(
            score(backbone, block.output[0], class_embedding), block.attention, retain_graph=True
        )
        maps.append(sum(slope.clamp(min=0).mean(dim=0) for slope in slopes) / len(slopes))  # (T,)
    return (sum(maps) / len(maps))[1:].reshape(backbone.grid)


def clip_surgery(backbone: Backbone, image: Tensor, own: int, classes: Tensor, blocks: int = 6) -> Tensor:
    """As published: products of every patch, class and channel, minus their weighted mean over classes."""
    walked = walk(backbone, image)
    image_embedding = read(backbone, walked[-1].output[0])
    stream = walked[-blocks:][0].entry
    for block in walked[-blocks:]:
        width = block.values[0].shape[1]
        heads = [torch.softmax(v @ v.T / math.sqrt(width), dim=1) @ v for v in block.values]
        stream = stream + block.layer.out_proj(torch.cat(heads, dim=1))
    patches = torch.stack([read(backbone, token) for token in stream[1:]])  # (N, d)
    shares = torch.softmax(2 * classes @ image_embedding, dim=0)
    products = patches[:, None] * classes[None] * (shares / shares.mean())[None, :, None]  # (N, Y, d)
    return (products - products.mean(dim=1, keepdim=True)).sum(dim=2)[:, own].detach().reshape(backbone.grid)


def masked_score(backbone: Backbone, image: Tensor, class_embedding: Tensor, hidden: tuple[int, ...]) -> float:
    """The class score while no token takes anything from some patches."""
    with torch.no_grad():
        return float(score(backbone, walk(backbone, image, hidden)[-1].output[0], class_embedding))
