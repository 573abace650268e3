"""Construction of models at random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mkbench.backbones.building import build_random

TOWER = {"width": 16, "heads": 2, "layers": 1}
COCA = {
    "embed_dim": 16,
    "vision_cfg": {
        **{"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
        **{"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    },
    "text_cfg": {**TOWER, "context_length": 7, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TOWER, "context_length": 7, "attn_pooler_heads": 2},
    "custom_text": True,
}


def test_no_weight_is_what_the_memory_held_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": COCA, "preprocess_cfg": {}}))
    name = f"local-dir:{tmp_path}"
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, **options: empty(*shape, **options).fill_(float("inf")))
    one, other, same = (build_random(name, seed=seed).state_dict() for seed in (0, 1, 0))
    assert all(bool(tensor.isfinite().all()) for tensor in one.values())
    key = "text_decoder.text_projection"
    assert not torch.equal(one[key], other[key])
    assert all(torch.equal(tensor, same[key]) for key, tensor in one.items())
    assert not torch.are_deterministic_algorithms_enabled()
