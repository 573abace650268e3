"""Small models of every kind of image tower, with weights of which none is trivially zero or one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import open_clip
import timm.models.eva
import timm.models.vision_transformer
import torch
from torch import Tensor, nn

from mkbench.backbones import OpenClipBackbone
from mkbench.backbones.building import seeded

WIDTH = 12  # of the joint space; wider than the heads, so that their rank is their width
TEXT = {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1}
VISION = {"image_size": 32, "layers": 3, "width": 24, "head_width": 8, "patch_size": 8}
PREPROCESS = {
    "mean": [0.1, 0.2, 0.3],
    "std": [0.4, 0.5, 0.6],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}
CLIPA = {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
COCA = {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4, "output_tokens": True}
NO_TRUNK = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": None, "image_size": 32}
TRUNK = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3, "num_classes": WIDTH}


def perturb(model: nn.Module, seed: int = 0) -> None:
    """Move norms, LayerScale and biases away from one and zero, and all weights away from timm's small ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.visual.parameters():
            vector = parameter.numel() == max(parameter.shape)
            spread = 0.3 if vector else parameter[0].numel() ** -0.5
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))


def wrap(model: nn.Module, size: int, name: str = "tiny", width: int = WIDTH) -> OpenClipBackbone:
    perturb(model)
    open_clip.set_model_preprocess_cfg(model, {"size": size, **PREPROCESS})
    return OpenClipBackbone(model, lambda texts: torch.zeros(len(texts), 8), name=name, embed_dim=width)


def clip(**vision: Any) -> OpenClipBackbone:
    with seeded(0):
        model = open_clip.CLIP(embed_dim=WIDTH, vision_cfg={**VISION, **vision}, text_cfg=dict(TEXT))
    return wrap(model, int(vision.get("image_size", 32)))


def custom(**vision: Any) -> OpenClipBackbone:
    with seeded(0):
        model = open_clip.CustomTextCLIP(embed_dim=WIDTH, vision_cfg={**VISION, **vision}, text_cfg=dict(TEXT))
    return wrap(model, int(vision.get("image_size", 32)))


def coca(**vision: Any) -> OpenClipBackbone:
    text = {**TEXT, "embed_cls": True, "output_tokens": True}
    decoder = {key: TEXT[key] for key in ("context_length", "vocab_size", "width", "heads", "layers")}
    with seeded(0):
        model = open_clip.CoCa(WIDTH, decoder, text, {**VISION, **COCA, **vision})
    return wrap(model, 32)


def timm_clip(make_trunk: Callable[..., nn.Module], *, proj: str | None = None, **trunk: Any) -> OpenClipBackbone:
    """Put a small trunk into open_clip's wrapper, which knows trunks by name alone."""
    with seeded(0):
        vision = {**NO_TRUNK, "timm_model_name": "test_vit", "timm_proj": proj, "image_size": 160}
        model = open_clip.CustomTextCLIP(embed_dim=WIDTH, vision_cfg=vision, text_cfg=dict(TEXT))
        model.visual.trunk = make_trunk(**{**TRUNK, **trunk})
    if proj == "linear":
        model.visual.head.proj = nn.Linear(TRUNK["embed_dim"], WIDTH)
    model.visual.image_size = (32, 32)
    return wrap(model, 32)


VIT = timm.models.vision_transformer.VisionTransformer
EVA = timm.models.eva.Eva
SIGLIP = {"global_pool": "map", "class_token": False}

#: Towers whose stream over all layers is decomposed.
STREAMS: dict[str, Callable[[], OpenClipBackbone]] = {
    "plain": clip,
    "custom text": custom,
    "narrow heads": lambda: clip(head_width=6),
    "LayerScale, no ln_pre": lambda: clip(ls_init_value=0.1, no_ln_pre=True),
    "patch dropout": lambda: clip(patch_dropout=0.5),
    "CLIPA": lambda: clip(**CLIPA),
    "norm before average": lambda: clip(pool_type="avg"),
    "query and key norm": lambda: clip(qk_norm=True),
    "norms around attention": lambda: clip(scale_attn_inner=True, scale_attn=True, scale_fc=True, scale_heads=True),
    "norms around averaged attention": lambda: clip(pool_type="avg", scale_attn_inner=True, scale_attn=True),
    "timm ViT": lambda: timm_clip(VIT, pre_norm=True, init_values=0.1),
    "timm ViT with registers": lambda: timm_clip(VIT, reg_tokens=2, qk_norm=True, num_classes=0, proj="linear"),
    "timm ViT, average": lambda: timm_clip(VIT, global_pool="avg"),
    "timm ViT, norm before average": lambda: timm_clip(VIT, global_pool="avg", fc_norm=False, class_token=False),
    "timm ViT, average with prefix": lambda: timm_clip(VIT, global_pool="avg", pool_include_prefix=True),
    "EVA": lambda: timm_clip(EVA, global_pool="token", init_values=0.1),
    "EVA02": lambda: timm_clip(
        EVA,
        global_pool="token",
        swiglu_mlp=True,
        scale_mlp=True,
        scale_attn_inner=True,
        qkv_fused=False,
        use_rot_pos_emb=True,
        ref_feat_shape=(4, 4),
        num_heads=3,
    ),
    "EVA02, norm after attention": lambda: timm_clip(EVA, global_pool="token", use_post_norm=True),
    "EVA, average of turned patches": lambda: timm_clip(EVA, global_pool="avg", use_rot_pos_emb=True),
}

#: Towers of which the heads of the pooling are decomposed.
POOLERS: dict[str, Callable[[], OpenClipBackbone]] = {
    "CoCa": coca,
    "CoCa, pooled at the width of its patches": lambda: coca(width=WIDTH, head_width=6),
    "CoCa, average of queries": lambda: coca(pool_type="avg"),
    "SigLIP": lambda: timm_clip(VIT, proj="none", **{**SIGLIP, "embed_dim": WIDTH, "num_heads": 2, "num_classes": 0}),
    "PE": lambda: timm_clip(EVA, global_pool="map", use_rot_pos_emb=True, use_pre_transformer_norm=True),
}

KINDS = {**STREAMS, **POOLERS}


def random_images(backbone: OpenClipBackbone, count: int, seed: int = 0) -> Tensor:
    side = backbone.image_size
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def real(name: str) -> OpenClipBackbone:
    """An architecture of open_clip at random, perturbed weights; its tokenizer may need a network and is left out."""
    with seeded(0):
        model = open_clip.create_model(name, pretrained_image=False, pretrained_text=False)
    size = copy.copy(model.visual.image_size)
    side = size if isinstance(size, int) else size[0]
    return wrap(model, side, name, open_clip.get_model_config(name)["embed_dim"])
