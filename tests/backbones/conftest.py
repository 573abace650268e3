from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest

from mkbench.backbones import OpenClipBackbone, save_local, write_bpe
from mkbench.backbones.building import seeded

MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>")]
SIZE = 514 + len(MERGES)

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": SIZE, "width": 32, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    },
}


def tiny_config(vision: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["model_cfg"]["vision_cfg"].update(vision or {})
    config["model_cfg"].update(model)
    return config


def build(config: dict[str, Any], seed: int = 0) -> Any:
    """Build open_clip's model of a configuration, without a file."""
    custom = config["model_cfg"].get("custom_text", False)
    settings = {key: value for key, value in config["model_cfg"].items() if key != "custom_text"}
    with seeded(seed):
        model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings)
    open_clip.set_model_preprocess_cfg(
        model, {"size": config["model_cfg"]["vision_cfg"]["image_size"], **config["preprocess_cfg"]}
    )
    return model


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "small.bpe.gz"
    write_bpe(MERGES, path)
    return path


@pytest.fixture
def tiny(vocabulary: Path) -> Callable[..., OpenClipBackbone]:
    """Wrap a tiny model of the given vision settings."""

    def make(vision: dict[str, Any] | None = None, *, seed: int = 0, **model: Any) -> OpenClipBackbone:
        tokenizer = open_clip.SimpleTokenizer(bpe_path=str(vocabulary), context_length=8)
        return OpenClipBackbone(build(tiny_config(vision, **model), seed), tokenizer, name="tiny", embed_dim=16)

    return make


@pytest.fixture
def folder(tmp_path: Path, vocabulary: Path) -> Path:
    """A model folder with random weights and a small vocabulary."""
    return save_local(build(CONFIG), vocabulary, CONFIG, tmp_path / "critter")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stand in for a machine without network, and note what would have been fetched."""
    asked: list[tuple[str, str]] = []

    def fail(architecture: str, tag: str, **_: Any) -> None:
        asked.append((architecture, tag))
        raise RuntimeError(f"Failed to download weights for tag '{tag}': no route\nmore")

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", fail)
    return asked
