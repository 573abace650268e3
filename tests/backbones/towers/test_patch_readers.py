from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mkbench.backbones import OpenClipBackbone
from mkbench.backbones.towers.hooks import WatchPoint, intercept, watch
from mkbench.backbones.towers.patch_readers import READERS, tower_reader
from mkbench.errors import BackboneError

TIMM_VIT = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear", "image_size": 160}
TIMM_MAP = {"timm_model_name": "test_convnext", "timm_pool": "", "timm_proj": "linear", "image_size": 160}
ResNet = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64}


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_no_hook_outlives_an_exception() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    points = {"before": WatchPoint(layers[0], "input"), "after": WatchPoint(layers[1], "output")}
    with watch(points):
        assert hook_count(layers) == 2
    with pytest.raises(RuntimeError, match="mat1 and mat2"), watch(points):
        layers(torch.zeros(1, 3))
    assert hook_count(layers) == 0


def test_a_failed_forward_leaves_the_backbone_usable(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()
    pixels = torch.randn(1, 3, 32, 32)
    expected = backbone.patch_features(pixels)
    with pytest.raises(ValueError, match="S=32"):
        backbone.patch_features(pixels[..., :31])
    again = backbone.patch_features(pixels)
    torch.testing.assert_close(again.features, expected.features, rtol=0, atol=0)
    assert hook_count(backbone) == 0


@pytest.mark.parametrize(
    ("vision", "model", "expected"),
    [
        ({}, {}, {"class_token", "heads", "keys"}),
        ({}, {"custom_text": True}, {"class_token", "heads", "keys"}),
        ({"ls_init_value": 0.1, "no_ln_pre": True}, {}, {"class_token", "heads", "keys"}),
        ({"patch_dropout": 0.5}, {}, {"class_token", "heads", "keys"}),
        ({"pool_type": "avg", "final_ln_after_pool": True, "pos_embed_type": "sin_cos_2d"}, {}, {"keys"}),  # CLIPA
        ({"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4}, {}, {"keys"}),
        ({"qk_norm": True}, {}, {"class_token", "keys"}),
        (ResNet, {}, set()),
        (TIMM_VIT, {}, {"class_token"}),
        (TIMM_MAP, {}, set()),
    ],
)
def test_features_of_every_kind_of_tower(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, Any], model: dict[str, Any], expected: set[str]
) -> None:
    backbone = tiny(vision, **model)
    assert backbone.capabilities == expected
    pixels = torch.randn(2, 3, backbone.image_size, backbone.image_size)
    with torch.no_grad():
        reference = backbone.model.visual.forward_intermediates(pixels, indices=1)["image_intermediates"][-1]
        embedding = backbone.model.encode_image(pixels, normalize=False)
    features = backbone.patch_features(pixels)
    assert tuple(reference.shape[2:]) == backbone.grid
    assert features.features.shape == (2, backbone.grid[0] * backbone.grid[1], backbone.feature_dim)
    torch.testing.assert_close(features.features, reference.flatten(2).transpose(1, 2), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(features.embedding, embedding)
    assert embedding.shape == (2, backbone.embed_dim)


def test_patches_lie_in_raster_order(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny({"layers": 1})
    plain = torch.zeros(1, 3, 32, 32)
    marked = plain.clone()
    marked[:, :, 8:16, 24:32] = 3.0  # row 1, column 3 of a 4 x 4 grid: patch 7
    change = (backbone.patch_features(marked).features - backbone.patch_features(plain).features).norm(dim=-1)[0]
    assert int(change.argmax()) == 7


def test_class_token_is_found_by_the_trunk_not_by_its_presence(tiny: Callable[..., OpenClipBackbone]) -> None:
    assert tiny({**TIMM_VIT, "timm_pool": "avg"}).capabilities == frozenset()


def test_unknown_towers_are_named() -> None:
    with pytest.raises(BackboneError, match=r"image tower of VisionTransformer, ModifiedResNet, TimmModel, got Linear"):
        tower_reader(nn.Linear(1, 1))


def test_trunks_without_patches_are_named() -> None:
    visual = SimpleNamespace(trunk=nn.Linear(1, 1))
    with pytest.raises(BackboneError, match="timm trunk Linear has neither a patch sequence nor a pooled map"):
        READERS["TimmModel"](visual)


def test_maps_with_channels_last_are_refused() -> None:
    class Trunk(nn.Module):
        num_features = 5

        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(3, 5)
            self.global_pool = nn.Identity()

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.global_pool(self.project(pixels.movedim(1, -1)))  # type: ignore[no-any-return]

    visual = SimpleNamespace(trunk=Trunk(), image_size=(8, 8))
    with pytest.raises(BackboneError, match=r"map with 5 channels before the pooling of Trunk, got \(1, 8, 8, 5\)"):
        READERS["TimmModel"](visual)


def test_an_unexpected_number_of_tokens_is_an_error(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny({"patch_dropout": 0.5})
    backbone.model.visual.patch_dropout.train()  # as a caller could who reaches into the model
    with pytest.raises(BackboneError, match=r"Expected 17 tokens an image from the tower, got \(1, 9, 32\)"):
        backbone.patch_features(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("vision", [ResNet, TIMM_VIT, TIMM_MAP])
@pytest.mark.parametrize("kind", ["keys", "both"])
def test_towers_without_keys_say_so(tiny: Callable[..., OpenClipBackbone], vision: dict[str, Any], kind: str) -> None:
    backbone = tiny(vision)
    with pytest.raises(BackboneError, match=r"tiny offers no attention keys; .* kind 'tokens'"):
        backbone.patch_features(torch.zeros(1, 3, backbone.image_size, backbone.image_size), kind)
    with pytest.raises(BackboneError, match="offers no attention keys"):
        backbone._reader.keys({})


def test_a_change_reaches_what_follows_and_leaves_no_hook() -> None:
    layers = nn.Sequential(nn.ReLU(), nn.Identity())
    pixels = torch.tensor([-1.0, 2.0])
    with intercept(WatchPoint(layers[0], "input"), torch.neg):
        assert layers(pixels).tolist() == [1.0, 0.0]
    with pytest.raises(ZeroDivisionError), intercept(WatchPoint(layers[1], "output"), lambda _: 1 / 0):  # type: ignore[arg-type, return-value]
        layers(pixels)
    assert hook_count(layers) == 0
    assert layers(pixels).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    "vision",
    [
        {},
        {"pool_type": "avg"},
        {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4},
        ResNet,
        TIMM_VIT,
        {**TIMM_VIT, "timm_pool": "avg"},
        TIMM_MAP,
    ],
)
def test_the_last_map_of_every_tower_decides_the_embedding(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, Any]
) -> None:
    backbone = tiny(vision)
    pixels = torch.randn(2, 3, backbone.image_size, backbone.image_size)
    seen = []

    def keep(spatial: torch.Tensor) -> torch.Tensor:
        seen.append(spatial.detach().requires_grad_())
        return seen[0]

    embedding = backbone.embed_through_map(pixels, keep)
    torch.testing.assert_close(embedding, backbone.encode_image(pixels))
    assert seen[0].shape == (2, backbone.feature_dim, *backbone.grid)
    if "class_token" not in backbone.capabilities:
        features = backbone.patch_features(pixels).features
        torch.testing.assert_close(seen[0].flatten(2).transpose(1, 2), features, rtol=1e-5, atol=1e-5)
    (slope,) = torch.autograd.grad(embedding[0].sum(), seen)
    assert (slope[0].abs().sum(0) > 0).all()  # every cell counts
    assert not slope[1].any()  # and none of the other image's
