"""Adapters of timm's vision transformers: ViT, EVA, SigLIP and Perception Encoder."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Dropout, Identity

from mkbench.backbones.towers.attention import Affine, Norm
from mkbench.backbones.towers.attention_readers import RefusalError, linear_of, norm_of, read_attention
from mkbench.backbones.towers.hooks import WatchPoint
from mkbench.backbones.towers.residual_tower import CLASS_TOKEN, ResidualLayer, ResidualTower

_CONVOLUTIONAL = "is convolutional and pools a map, so no attention heads add up to its embedding"

#: Why trunks and stems that the reader of patches knows have no decomposition.
REFUSED: Mapping[str, str] = {
    "ResNet": f"a ResNet {_CONVOLUTIONAL}",
    "ConvNeXt": f"a ConvNeXt {_CONVOLUTIONAL}",
    "FastVit": f"a FastViT {_CONVOLUTIONAL}",
    "SwinTransformer": "a Swin transformer merges its tokens between stages, so no single stream collects its heads",
    "MbConvStages": "a ViTamin is a hybrid, and no attention heads add up to what its convolutional stages see",
}

#: Norm between attention and stream, and LayerScale, of timm's blocks.
TIMM_BLOCKS: Mapping[str, Callable[[Any], tuple[Norm | None, Tensor | None]]] = {
    "Block": lambda block: (None, getattr(block.ls1, "gamma", None)),
    "EvaBlock": lambda block: (None, block.gamma_1),
    "EvaBlockPostNorm": lambda block: (norm_of(block.norm1), None),
}

#: timm's trunks in which one stream of tokens runs from the first block to the pooling.
TRUNKS = frozenset({"VisionTransformer", "Eva"})


def timm_tower(visual: Any) -> ResidualTower:
    """Read a tower of timm.

    Args:
        visual: open_clip's wrapper of a timm trunk.

    Raises:
        RefusalError: if its embedding is no sum over attention heads.

    >>> from open_clip.timm_model import TimmModel
    >>> tower = timm_tower(TimmModel("test_vit", embed_dim=8, image_size=160, pool="token", proj="linear"))
    >>> len(tower.layers), tower.layers[0].attention.num_heads
    (6, 2)
    """
    trunk = visual.trunk
    kind = type(trunk).__name__
    stem = type(getattr(getattr(trunk, "patch_embed", None), "backbone", None)).__name__
    reason = REFUSED.get(kind) or REFUSED.get(stem)
    if reason or kind not in TRUNKS:
        raise RefusalError(reason or f"{kind} is no plain vision transformer")
    projection = _timm_projection(visual)
    if getattr(trunk, "attn_pool", None) is not None:
        return _latent_pool_tower(trunk, projection)
    norms = [norm_of(trunk.norm), norm_of(trunk.fc_norm)]
    if all(norms) or trunk.global_pool not in {"token", "avg"}:
        raise RefusalError("it pools its tokens by a rule that is not known")
    prefix = 0 if getattr(trunk, "pool_include_prefix", False) else trunk.num_prefix_tokens
    return ResidualTower(
        layers=tuple(_timm_layer(block) for block in trunk.blocks),
        start=WatchPoint(trunk.blocks[0], "input"),
        end=WatchPoint(trunk.blocks[-1], "output"),
        rows=slice(prefix, None) if trunk.global_pool == "avg" else CLASS_TOKEN,
        norm=norms[0] or norms[1],
        norm_first=norms[0] is not None,
        projection=projection,
    )


def _timm_layer(block: Any) -> ResidualLayer:
    kind = type(block).__name__
    if kind not in TIMM_BLOCKS:
        raise RefusalError(f"it is built of {kind}, whose rule is not known")
    post_norm, scale = TIMM_BLOCKS[kind](block)
    return ResidualLayer(
        attention=read_attention(block.attn),
        entry=WatchPoint(block.attn, "input"),
        branch=block.drop_path1,
        mlp=block.drop_path2,
        post_norm=post_norm,
        scale=scale,
    )


def _latent_pool_tower(trunk: Any, projection: Affine) -> ResidualTower:
    pool = trunk.attn_pool
    attention = read_attention(pool)
    if pool.latent_len > 1 and pool.pool != "token":
        raise RefusalError("its pooling layer averages several queries")
    layer = ResidualLayer(
        attention=attention,
        entry=WatchPoint(pool.kv, "input"),
        branch=pool.proj_drop,
        mlp=pool.mlp,
        queries=pool.latent[:, CLASS_TOKEN],
    )
    end = WatchPoint(pool, "output")
    return ResidualTower((layer,), None, end, CLASS_TOKEN, norm_of(trunk.fc_norm), False, projection)


def _timm_projection(visual: Any) -> Affine:
    """Join the linear layers after the pooling into one."""
    width = visual.trunk.num_features
    weight = next(visual.parameters())
    joined = Affine(torch.eye(width, device=weight.device, dtype=weight.dtype))
    for layer in (visual.trunk.head, *visual.head):
        if not isinstance(layer, Identity | Dropout):
            step = linear_of(layer)
            joined = Affine(step.weight @ joined.weight, step(joined.offset(step.weight)))
    return joined
