"""Adapters of open_clip's own vision transformers: plain, average-pooled and with CoCa's attention pooling."""

from typing import Any

import torch

from mkbench.backbones.towers.attention import Affine
from mkbench.backbones.towers.attention_readers import RefusalError, norm_of, read_attention
from mkbench.backbones.towers.hooks import WatchPoint
from mkbench.backbones.towers.residual_tower import CLASS_TOKEN, ResidualLayer, ResidualTower


def open_clip_tower(visual: Any) -> ResidualTower:
    """Read a vision transformer of open_clip.

    Args:
        visual: the image tower.

    Raises:
        RefusalError: if its embedding is no sum over attention heads.

    >>> import open_clip
    >>> tower = open_clip_tower(open_clip.create_model("ViT-S-32-alt").visual)
    >>> len(tower.layers), tower.norm_first
    (12, True)
    """
    blocks = visual.transformer.resblocks
    if visual.attn_pool is not None:
        return _coca_tower(visual)
    if visual.pool_type not in {"tok", "avg"}:
        raise RefusalError("it does not pool its tokens")
    return ResidualTower(
        layers=tuple(_open_clip_layer(block) for block in blocks),
        start=WatchPoint(blocks[0], "input"),
        end=WatchPoint(blocks[-1], "output"),
        rows=slice(1, None) if visual.pool_type == "avg" else CLASS_TOKEN,
        norm=norm_of(visual.ln_post),
        norm_first=not visual.final_ln_after_pool,
        projection=Affine(visual.proj.T),
    )


def _open_clip_layer(block: Any) -> ResidualLayer:
    return ResidualLayer(
        attention=read_attention(block.attn),
        entry=WatchPoint(block.attn, "input"),
        branch=block.ls_1,
        mlp=block.ls_2,
        post_norm=norm_of(getattr(block, "ln_attn", None)),
        scale=getattr(block.ls_1, "gamma", None),
    )


def _coca_tower(visual: Any) -> ResidualTower:
    if visual.attn_pool_contrastive is not None:
        raise RefusalError("it pools twice")
    pool = visual.attn_pool
    with torch.no_grad():
        queries = pool.ln_q(pool.query)[None]  # (1, Q, d)
    rows = slice(1, None) if visual.pool_type == "avg" else CLASS_TOKEN  # of the queries
    layer = ResidualLayer(
        attention=read_attention(pool.attn),
        entry=WatchPoint(pool.ln_k, "output"),
        branch=pool,
        mlp=None,
        queries=queries[:, rows],
    )
    end = WatchPoint(pool, "output")
    return ResidualTower((layer,), None, end, rows, norm_of(visual.ln_post), True, Affine(visual.proj.T))
