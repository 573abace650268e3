from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from mkbench.backbones import OpenClipBackbone
from mkbench.backbones.towers.attention_maps import attend, expose_attention
from mkbench.errors import BackboneError


@pytest.mark.parametrize("bias", [True, False])
def test_output_and_weights_are_those_of_the_layer(bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(12, 3, bias=bias, batch_first=True).eval()
    tokens = torch.randn(2, 5, 12)
    output, weights = attend(layer, tokens)
    expected, own = layer(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(weights, own)


def test_weights_of_frozen_layers_can_be_derived_by() -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(4, 1, batch_first=True).requires_grad_(False)
    output, weights = attend(layer, torch.randn(1, 3, 4))
    (slope,) = torch.autograd.grad(output[0, 0].sum(), weights)
    assert slope[0, 0, 0].abs().min() > 0
    assert not slope[0, 0, 1:].any()  # the first token takes nothing through the rows of the others
    with torch.no_grad():
        assert not attend(layer, torch.randn(1, 3, 4))[1].requires_grad


def test_no_hook_outlives_an_exception() -> None:
    layer = nn.MultiheadAttention(4, 1, batch_first=True)
    with pytest.raises(AssertionError, match="expecting embedding dimension"), expose_attention([layer]):
        layer(*[torch.randn(1, 3, 5)] * 3)
    assert not layer._forward_hooks


@pytest.mark.parametrize("vision", [{}, {"ls_init_value": 0.1, "no_ln_pre": True}, {"layers": 3, "head_width": 8}])
def test_a_pass_with_attention_embeds_like_any_other(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, object]
) -> None:
    backbone = tiny(vision)
    pixels = torch.randn(3, 3, 32, 32)
    passed = backbone.embed_with_attention(pixels)
    torch.testing.assert_close(passed.embedding, backbone.encode_image(pixels))
    heads = backbone.model.visual.transformer.resblocks[0].attn.num_heads
    assert [tuple(w.shape) for w in passed.weights] == [(3, heads, 17, 17)] * vision.get("layers", 2)
    for weights in passed.weights:
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, heads, 17))


@pytest.mark.parametrize(
    "vision",
    [
        {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64},
        {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear", "image_size": 160},
        {"pool_type": "avg"},
        {"qk_norm": True},
    ],
)
def test_towers_without_class_token_or_plain_attention_are_refused(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, object]
) -> None:
    backbone = tiny(vision)
    pixels = torch.zeros(1, 3, backbone.image_size, backbone.image_size)
    masked = torch.zeros(1, backbone.grid[0] * backbone.grid[1], dtype=torch.bool)
    for look in (
        backbone.embed_with_attention,
        backbone.trace_blocks,
        backbone.embed_with_relevance,
        partial(backbone.embed_masked, masked=masked),
    ):
        with pytest.raises(BackboneError, match=r"class token and plain attention, found tiny; choose such a model"):
            look(pixels)
