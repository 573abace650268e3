"""Similarity of class token and patches: against hooks on the blocks of the towers themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from tower_kinds import EVA, VIT, clip, timm_clip

from mkbench.backbones.towers.class_token_similarity import class_token_similarity
from mkbench.errors import BackboneError

IMAGES = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def reference(rows: Tensor) -> list[float]:
    """Cosines of the first row and each of the last 16, one pair at a time."""
    return [
        sum(float(F.cosine_similarity(image[0], patch, dim=0)) for patch in image[-16:]) / 16 for image in rows.double()
    ]


def test_tokens_and_keys_of_every_block() -> None:
    backbone = clip()
    blocks, outputs, keys = backbone.model.visual.transformer.resblocks, [], []
    for block in blocks:
        block.register_forward_hook(lambda _, __, output: outputs.append(output))
        block.ln_1.register_forward_hook(lambda _, __, output: keys.append(output))
    found = class_token_similarity(backbone, IMAGES)
    assert found.tokens.shape == found.keys.shape == (3, 3)
    for layer, block in enumerate(blocks):
        weight, bias = block.attn.in_proj_weight[24:48], block.attn.in_proj_bias[24:48]
        assert found.tokens[:, layer].tolist() == pytest.approx(reference(outputs[layer]), abs=1e-6)
        assert found.keys[:, layer].tolist() == pytest.approx(reference(keys[layer] @ weight.T + bias), abs=1e-6)


@pytest.mark.parametrize("trunk", [VIT, EVA], ids=["vit", "eva"])
def test_tokens_of_timm_trunks(trunk: object) -> None:
    backbone, outputs = timm_clip(trunk, global_pool="token"), []
    for block in backbone.model.visual.trunk.blocks:
        block.register_forward_hook(lambda _, __, output: outputs.append(output))
    found = class_token_similarity(backbone, IMAGES)
    for layer, output in enumerate(outputs):
        assert found.tokens[:, layer].tolist() == pytest.approx(reference(output), abs=1e-5)


def test_no_hook_stays() -> None:
    backbone = clip()
    class_token_similarity(backbone, IMAGES)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in backbone.model.modules())


def test_tower_that_averages_its_patches_is_refused() -> None:
    with pytest.raises(BackboneError, match="Expected a vision transformer with a class token, found tiny, which aver"):
        class_token_similarity(clip(pool_type="avg"), IMAGES)
