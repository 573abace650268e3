"""How each kind of image tower collects its embedding: one adapter per kind, found in a table."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from mkbench.backbones import Backbone
from mkbench.backbones.towers.attention import Affine
from mkbench.backbones.towers.attention_layers import RefusalError, attention_weights, norm_of
from mkbench.backbones.towers.base import CLASS_TOKEN, Layer, Tower
from mkbench.backbones.towers.patch_readers import WatchPoint
from mkbench.backbones.towers.timm_towers import REFUSED, timm_tower
from mkbench.errors import BackboneError


def _open_clip_tower(visual: Any) -> Tower:
    blocks = visual.transformer.resblocks
    if visual.attn_pool is not None:
        return _coca_tower(visual)
    if visual.pool_type not in {"tok", "avg"}:
        raise RefusalError("it does not pool its tokens")
    return Tower(
        layers=tuple(_open_clip_layer(block) for block in blocks),
        start=WatchPoint(blocks[0], "input"),
        end=WatchPoint(blocks[-1], "output"),
        rows=slice(1, None) if visual.pool_type == "avg" else CLASS_TOKEN,
        norm=norm_of(visual.ln_post),
        norm_first=not visual.final_ln_after_pool,
        projection=Affine(visual.proj.T),
    )


def _open_clip_layer(block: Any) -> Layer:
    return Layer(
        attention=attention_weights(block.attn),
        entry=WatchPoint(block.attn, "input"),
        branch=block.ls_1,
        mlp=block.ls_2,
        post_norm=norm_of(getattr(block, "ln_attn", None)),
        scale=getattr(block.ls_1, "gamma", None),
    )


def _coca_tower(visual: Any) -> Tower:
    if visual.attn_pool_contrastive is not None:
        raise RefusalError("it pools twice")
    pool = visual.attn_pool
    with torch.no_grad():
        queries = pool.ln_q(pool.query)[None]  # (1, Q, d)
    rows = slice(1, None) if visual.pool_type == "avg" else CLASS_TOKEN  # of the queries
    layer = Layer(
        attention=attention_weights(pool.attn),
        entry=WatchPoint(pool.ln_k, "output"),
        branch=pool,
        mlp=None,
        queries=queries[:, rows],
    )
    end = WatchPoint(pool, "output")
    return Tower((layer,), None, end, rows, norm_of(visual.ln_post), True, Affine(visual.proj.T))


def _refuse_resnet(_: Any) -> Tower:
    raise RefusalError(REFUSED["ResNet"])


TOWERS: Mapping[str, Callable[[Any], Tower]] = {
    "VisionTransformer": _open_clip_tower,
    "TimmModel": timm_tower,
    "ModifiedResNet": _refuse_resnet,
}


def find_tower(backbone: Backbone) -> Tower:
    """Find out how the image tower of a model collects its embedding.

    Args:
        backbone: a model of open_clip, in evaluation mode.

    Raises:
        BackboneError: naming the model and the reason, if its embedding is no sum over attention heads.

    >>> from mkbench import load_backbone
    >>> tower = find_tower(load_backbone("ViT-S-32-alt", random_weights=True))
    >>> len(tower.layers), tower.layers[0].attention.num_heads, tower.rows
    (12, 6, slice(0, 1, None))
    """
    visual = getattr(getattr(backbone, "model", None), "visual", None)
    kinds = [kind.__name__ for kind in type(visual).__mro__ if kind.__name__ in TOWERS]
    try:
        if not kinds:
            raise RefusalError("it is no model of open_clip")
        return TOWERS[kinds[0]](visual)
    except RefusalError as refusal:
        raise BackboneError(
            f"The attention heads of {backbone.name} cannot be told apart: {refusal}; choose a vision transformer such "
            "as ViT-B-16."
        ) from None
