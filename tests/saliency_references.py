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


def attention_rollout(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
    """The rule as published, for one image: the tower head by head, and whole relevance matrices block by block."""
    visual = backbone.model.visual
    stream = visual._embeds(backbone.prepare_pixels(image[None]).requires_grad_())[0]  # (T, C)
    attentions = []
    for block in visual.transformer.resblocks:
        normed, layer = block.ln_1(stream), block.attn
        query, key, value = (normed @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=1)
        width = layer.head_dim
        attentions.append([])
        mixed = []
        for head in range(layer.num_heads):
            own = slice(head * width, (head + 1) * width)
            attentions[-1].append(torch.softmax(query[:, own] @ key[:, own].T / math.sqrt(width), dim=1))
            mixed.append(attentions[-1][-1] @ value[:, own])
        stream = stream + layer.out_proj(torch.cat(mixed, dim=1))
        stream = stream + block.mlp(block.ln_2(stream))
    embedding = visual.ln_post(stream[0]) @ visual.proj
    score = embedding @ class_embedding / embedding.norm()
    relevance = torch.eye(len(stream))
    for heads in attentions:
        slopes = torch.autograd.grad(score, heads, retain_graph=True)
        kept = [(slope * weights).clamp(min=0) for slope, weights in zip(slopes, heads, strict=True)]
        relevance = relevance + torch.stack(kept).mean(dim=0) @ relevance
    return relevance[0, 1:].detach().reshape(backbone.grid)


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


def masked_embedding(backbone: Backbone, image: Tensor, hidden: tuple[int, ...]) -> Tensor:
    """The unit embedding while no token takes anything from some patches."""
    with torch.no_grad():
        return read(backbone, walk(backbone, image, hidden)[-1].output[0])


def value_of_patch(backbone: Backbone, image: Tensor, patch: int) -> Tensor:
    """What the last attention gives a token that looks at one patch alone, as a unit vector of the joint space."""
    with torch.no_grad():
        last = walk(backbone, image)[-1]
        return read(backbone, last.layer.out_proj(torch.cat([value[1 + patch] for value in last.values])))


class Relevance:
    """AttnLRP rule by rule in float64; keeps what every rule gets, passes on, and leaves with constants."""

    def __init__(self) -> None:
        self.books: list[tuple[float, float, float]] = []

    def book(self, got: Tensor, passed: list[Tensor], kept: Tensor | float) -> None:
        self.books.append((float(got.sum()), sum(float(part.sum()) for part in passed), float(torch.as_tensor(kept))))

    def linear(self, rows: Tensor, weight: Tensor, bias: Tensor | None, got: Tensor) -> Tensor:
        """The epsilon rule, epsilon 0: every input gets its share of each output."""
        output = rows @ weight.T + (0 if bias is None else bias)
        share = got / output
        passed = rows * (share @ weight)
        self.book(got, [passed], 0 if bias is None else (share * bias).sum())
        return passed

    def norm(self, rows: Tensor, layer: torch.nn.LayerNorm, got: Tensor) -> Tensor:
        """The deviation is a constant: what is left is linear."""
        width = rows.shape[1]
        centring = torch.eye(width).double() - 1 / width
        passed = []
        for row, part in zip(rows, got, strict=True):
            scale = 1 / torch.sqrt(row.var(correction=0) + layer.eps)
            weight = layer.weight.double()[:, None] * centring * scale
            passed.append(self.linear(row[None], weight, layer.bias.double(), part[None])[0])
        return torch.stack(passed)

    def product(self, left: Tensor, right: Tensor, got: Tensor) -> tuple[Tensor, Tensor]:
        """Half to each factor of every term of left @ right."""
        share = got / (left @ right) / 2
        passed = left * (share @ right.T), right * (left.T @ share)
        self.book(got, list(passed), 0)
        return passed

    def softmax(self, scores: Tensor, got: Tensor) -> Tensor:
        weights = torch.softmax(scores, dim=1)
        passed = scores * (got - weights * got.sum(dim=1, keepdim=True))
        self.book(got, [passed], got.sum() - passed.sum())
        return passed


def attn_lrp(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> tuple[Tensor, Relevance]:
    """The map of one image, and the books of every rule; all in float64, by rules and not by gradients."""
    visual = backbone.model.visual.double()
    rules, target = Relevance(), class_embedding.double()
    pixels = backbone.prepare_pixels(image[None]).double()
    with torch.no_grad():
        side = visual.conv1.stride[0]
        patches = torch.nn.functional.unfold(pixels, side, stride=side)[0].T  # (N, 3 side^2)
        kernel = visual.conv1.weight.flatten(1)
        constant = torch.cat([visual.class_embedding[None], 0 * (patches @ kernel.T)]) + visual.positional_embedding
        placed = torch.cat([visual.class_embedding[None], patches @ kernel.T]) + visual.positional_embedding
        stream = visual.ln_pre(placed)
        seen = []
        for block in visual.transformer.resblocks:
            layer = block.attn
            normed = block.ln_1(stream)
            joint = normed @ layer.in_proj_weight.T + layer.in_proj_bias
            width = stream.shape[1] // layer.num_heads
            heads = [[part[:, h * width : (h + 1) * width] for part in joint.chunk(3, dim=1)]
                     for h in range(layer.num_heads)]  # fmt: skip
            scores = [query @ key.T / math.sqrt(width) for query, key, _ in heads]
            mixed = torch.cat([torch.softmax(s, dim=1) @ v for s, (_, _, v) in zip(scores, heads, strict=True)], dim=1)
            middle = stream + layer.out_proj(mixed)
            hidden = block.mlp.c_fc(block.ln_2(middle))
            output = middle + block.mlp.c_proj(block.mlp.gelu(hidden))
            seen.append((block, stream, normed, heads, scores, mixed, middle, hidden, output))
            stream = output
        last = visual.ln_post(stream[:1])
        embedding = last @ visual.proj
        got = embedding * target / embedding.norm()
        rules.books.append((float(got.sum()), float(embedding @ target / embedding.norm()), 0.0))
        got = torch.cat([rules.norm(stream[:1], visual.ln_post, rules.linear(last, visual.proj.T, None, got)),
                         torch.zeros_like(stream[1:])])  # fmt: skip
        for block, entry, normed, heads, scores, mixed, middle, hidden, output in reversed(seen):
            layer, width = block.attn, heads[0][0].shape[1]
            added = output - middle
            branch = rules.linear(block.mlp.gelu(hidden), block.mlp.c_proj.weight, block.mlp.c_proj.bias,
                                  got * added / output)  # fmt: skip
            branch = rules.linear(block.ln_2(middle), block.mlp.c_fc.weight, block.mlp.c_fc.bias, branch)
            got = got * middle / output + rules.norm(middle, block.ln_2, branch)
            added = middle - entry
            branch = rules.linear(mixed, layer.out_proj.weight, layer.out_proj.bias, got * added / middle)
            parts: list[list[Tensor]] = [[], [], []]
            for number, (query, key, value) in enumerate(heads):
                own = branch[:, number * width : (number + 1) * width]
                attention, of_value = rules.product(torch.softmax(scores[number], dim=1), value, own)
                of_scores = rules.softmax(scores[number], attention)
                of_query, of_key = rules.product(query / math.sqrt(width), key.T, of_scores)
                for place, part in enumerate((of_query, of_key.T, of_value)):
                    parts[place].append(part)
            joint = torch.cat([torch.cat(part, dim=1) for part in parts], dim=1)
            of_norm = rules.linear(normed, layer.in_proj_weight, layer.in_proj_bias, joint)
            got = got * entry / middle + rules.norm(entry, block.ln_1, of_norm)
        got = rules.norm(placed, visual.ln_pre, got)
        rules.book(got, [got * (placed - constant) / placed], (got * constant / placed).sum())
        got = (got * (placed - constant) / placed)[1:]
        found = rules.linear(patches, kernel, None, got).sum(dim=1).reshape(backbone.grid)
    backbone.model.visual.float()
    return found, rules
