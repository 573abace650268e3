from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mkbench.backbones import OpenClipBackbone

VARIANTS = [{}, {"ls_init_value": 0.1, "no_ln_pre": True}, {"layers": 3, "head_width": 8}]


@pytest.mark.parametrize("vision", VARIANTS)
def test_what_is_traced_adds_up_to_the_embedding(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, object]
) -> None:
    backbone, pixels = tiny(vision), torch.randn(3, 3, 32, 32)
    trace = backbone.trace_blocks(pixels)
    assert len(trace.blocks) == vision.get("layers", 2)
    torch.testing.assert_close(trace.read(trace.blocks[-1].output[:, 0]), backbone.encode_image(pixels))
    for block, module in zip(trace.blocks, backbone.model.visual.transformer.resblocks, strict=True):
        middle = block.entry + block.project(block.mixed)
        torch.testing.assert_close(block.output, middle + module.ls_2(module.mlp(module.ln_2(middle))))
        mixed = block.weights @ block.value  # (B, H, T, k)
        torch.testing.assert_close(block.mixed, mixed.transpose(1, 2).flatten(2))
        scores = block.query @ block.key.mT / block.key.shape[-1] ** 0.5
        torch.testing.assert_close(block.weights, scores.softmax(dim=-1))
    for earlier, later in zip(trace.blocks, trace.blocks[1:], strict=False):
        torch.testing.assert_close(earlier.output, later.entry)


def test_a_block_is_cut_off_from_those_before_it(tiny: Callable[..., OpenClipBackbone]) -> None:
    with torch.enable_grad():
        first, second = tiny({}).trace_blocks(torch.randn(1, 3, 32, 32)).blocks
        score = second.output[:, 0].sum()
        slopes = torch.autograd.grad(score, [first.weights, second.weights], allow_unused=True)
    assert slopes[0] is None
    assert slopes[1].abs().max() > 0


def test_no_hook_outlives_a_trace(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny({})
    with pytest.raises(ValueError, match="Expected pixels"):
        backbone.trace_blocks(torch.randn(1, 3, 5, 5))
    modules = list(backbone.model.visual.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


@pytest.mark.parametrize("vision", VARIANTS)
def test_masked_patches_have_no_influence_and_others_do(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, object]
) -> None:
    backbone, pixels = tiny(vision), torch.randn(2, 3, 32, 32)
    masked = torch.zeros(2, 16, dtype=torch.bool)
    torch.testing.assert_close(backbone.embed_masked(pixels, masked), backbone.encode_image(pixels))
    masked[0, 5] = masked[1, 0] = True  # patch 5 of 4 x 4 lies in row 1, column 1
    embedding = backbone.embed_masked(pixels, masked)
    changed = pixels.clone()
    changed[0, :, 8:16, 8:16] = changed[1, :, :8, :8] = 7
    torch.testing.assert_close(backbone.embed_masked(changed, masked), embedding)
    assert (backbone.encode_image(changed) - backbone.encode_image(pixels)).abs().amax(dim=1).min() > 1e-4
    assert backbone.embed_masked(pixels, torch.ones_like(masked)).isfinite().all()  # the class token is left
