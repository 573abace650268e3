from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.concepts import AttentionRollout
from mkbench.concepts.attention_rollout import class_token_relevance
from mkbench.errors import BackboneError, UsageError


def by_hand(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
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


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_group_is_its_images_by_hand(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = AttentionRollout().saliency_maps(backbone, *group)
    expected = torch.stack([by_hand(backbone, *pair) for pair in zip(*group, strict=True)])
    assert expected.max() > 1e-4
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-8)
    assert not maps.requires_grad


def test_three_blocks_by_matrices() -> None:
    torch.manual_seed(0)
    blocks = [torch.rand(2, 4, 4, dtype=torch.float64) for _ in range(3)]
    one = torch.eye(4, dtype=torch.float64)
    expected = (one + blocks[2]) @ (one + blocks[1]) @ (one + blocks[0])
    torch.testing.assert_close(class_token_relevance(blocks), expected[:, 0])


def test_no_relevance_leaves_the_class_token_alone() -> None:
    assert class_token_relevance([torch.zeros(1, 3, 3)] * 2).tolist() == [[1.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match="at least one block"):
        class_token_relevance([])


def test_inference_mode_changes_nothing(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    expected = AttentionRollout().saliency_maps(backbone, *group)
    with torch.inference_mode():
        images, classes = (tensor.clone() for tensor in group)  # as a run makes them: inference tensors
        maps = AttentionRollout().saliency_maps(backbone, images, classes)
    torch.testing.assert_close(maps, expected)  # kernels may differ with the mode


def test_models_without_attention_are_refused() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        AttentionRollout().saliency_maps(ColourBackbone(), images, torch.ones(1, 8))


def test_half_precision_is_refused(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}").to(torch.bfloat16)
    with pytest.raises(UsageError, match="found bfloat16"):
        AttentionRollout().saliency_maps(backbone, *group)
