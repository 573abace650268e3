from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import timm.models.vision_transformer
import torch
from torch import nn
from tower_kinds import EVA, VIT, clip, coca, timm_clip

from mkbench.backbones import Backbone
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.backbones.towers.residual_tower import ResidualTower
from mkbench.errors import BackboneError

RESNET = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64}


def bare(visual: Any, name: str) -> Any:
    """As much of a backbone as an adapter looks at."""
    return SimpleNamespace(name=name, model=SimpleNamespace(visual=visual))


def timm_named(name: str) -> Backbone:
    return bare(open_clip.timm_model.TimmModel(name, embed_dim=8, image_size=160, pool="", proj="linear"), "tiny")


def gated() -> Backbone:
    backbone = timm_clip(EVA, global_pool="token")
    backbone.model.visual.trunk.blocks[1].attn.gate = nn.Linear(24, 24)
    return backbone


REFUSED: dict[str, tuple[Callable[[], Backbone], str]] = {
    "ModifiedResNet": (lambda: clip(**RESNET), "a ResNet is convolutional and pools a map"),
    "ResNet": (lambda: timm_named("test_resnet"), "a ResNet is convolutional"),
    "ConvNeXt": (lambda: timm_named("test_convnext"), "a ConvNeXt is convolutional"),
    "other trunk": (lambda: timm_named("test_efficientnet"), "EfficientNet is no plain vision transformer"),
    "relative positions": (lambda: timm_named("test_vit_relpos"), "VisionTransformerRelPos is no plain vision"),
    "maximum": (lambda: timm_clip(VIT, global_pool="max"), "pools its tokens by a rule"),
    "MLP": (lambda: timm_clip(VIT, proj="mlp", num_classes=0), "projects with Mlp instead of a linear layer"),
    "RMS": (lambda: timm_clip(VIT, norm_layer="rmsnorm"), "normalises with RmsNorm instead of a LayerNorm"),
    "differential": (lambda: timm_clip(VIT, attn_layer="diff"), "attends with DiffAttention"),
    "parallel": (
        lambda: timm_clip(VIT, block_fn=timm.models.vision_transformer.ParallelScalingBlock),
        "built of ParallelScalingBlock",
    ),
    "gate": (gated, "a gate that depends on the image"),
    "two poolings": (lambda: coca(attentional_pool="parallel", width=12, head_width=6), "pools twice"),
    "cosine": (lambda: clip(scaled_cosine_attn=True), "by their cosine"),
    "no pooling": (lambda: clip(pool_type="none"), "does not pool its tokens"),
    "another library": (lambda: bare(nn.Linear(1, 1), "tiny"), "no model of open_clip"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_towers_without_a_sum_over_heads_are_refused_by_name(case: str) -> None:
    make, reason = REFUSED[case]
    backbone = make()
    with pytest.raises(BackboneError, match=f"heads of tiny cannot be told apart: .*{reason}.*; choose a vision"):
        find_tower(backbone)


def test_tokens_before_images_are_refused() -> None:
    backbone = clip()
    backbone.model.visual.transformer.resblocks[0].attn.batch_first = False
    with pytest.raises(BackboneError, match="takes tokens before images"):
        find_tower(backbone)


def test_several_averaged_latents_are_refused() -> None:
    backbone = timm_clip(VIT, proj="none", global_pool="map", num_classes=0, embed_dim=12, num_heads=2)
    backbone.model.visual.trunk.attn_pool.latent_len = 2
    backbone.model.visual.trunk.attn_pool.pool = "avg"
    with pytest.raises(BackboneError, match="averages several queries"):
        find_tower(backbone)


def test_a_model_without_open_clip_inside_is_refused() -> None:
    with pytest.raises(BackboneError, match="heads of toy cannot be told apart: it is no model of open_clip"):
        find_tower(SimpleNamespace(name="toy"))  # type: ignore[arg-type]


def meta_tower(architecture: str) -> ResidualTower:
    """The adapter's reading of an architecture whose weights take no memory."""
    config = open_clip.get_model_config(architecture)
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        visual = open_clip.model._build_vision_tower(config["embed_dim"], dict(config["vision_cfg"]))
    return find_tower(bare(visual, architecture))


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("RN50", "a ResNet is"),
        ("convnext_base", "a ConvNeXt is"),
        ("MobileCLIP-S1", "a FastViT is"),
        ("swin_base_patch4_window7_224", "a Swin transformer merges"),
        ("ViTamin-S", "a ViTamin is a hybrid"),
        ("vit_relpos_medium_patch16_cls_224", "VisionTransformerRelPos is no plain"),
    ],
)
def test_architectures_are_refused_by_name(architecture: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=f"The attention heads of {architecture} cannot be told apart: {reason}"):
        meta_tower(architecture)


@pytest.mark.slow
def test_every_architecture_of_open_clip_is_decomposed_or_refused() -> None:
    refused = set()
    for architecture in open_clip.list_models():
        try:
            tower = meta_tower(architecture)
        except BackboneError:
            refused.add(architecture)
        else:
            assert tower.projection.weight.shape[0] == open_clip.get_model_config(architecture)["embed_dim"]
    kinds = ("RN", "convnext", "ViTamin", "swin", "vit_relpos", "MobileCLIP-S", "MobileCLIP2-S")
    assert refused == {name for name in open_clip.list_models() if name.startswith(kinds)}
