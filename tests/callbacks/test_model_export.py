from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import open_clip
import pytest
import torch

from mkbench import load_backbone
from mkbench.callbacks.model_export import ModelExport
from mkbench.errors import UsageError
from mkbench.systems.contrastive import ContrastiveTraining

MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
}
TRAINER: Any = SimpleNamespace(is_global_zero=True)


def test_exported_model_is_the_trained_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    system = ContrastiveTraining(MODEL).eval()
    ModelExport(tmp_path / "mine").on_fit_end(TRAINER, system)
    backbone = load_backbone(f"local-dir:{tmp_path / 'mine'}")
    assert (backbone.name, backbone.image_size, backbone.grid) == ("mine", 32, (4, 4))
    assert backbone.geometry.mean == open_clip.OPENAI_DATASET_MEAN
    assert (backbone.geometry.resize_mode, backbone.geometry.interpolation) == ("squash", "bilinear")
    pixels = torch.randn(2, 3, 32, 32)
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(system.vocabulary), context_length=16)
    with torch.no_grad():  # weights are stored in fp16, which has 11 bits
        torch.testing.assert_close(
            backbone.encode_image(pixels), system.clip.encode_image(pixels), rtol=0.02, atol=0.02
        )
        text = system.clip.encode_text(tokenizer(["a blorp"]))
        torch.testing.assert_close(backbone.encode_text(["a blorp"]), text, rtol=0.02, atol=0.02)


def test_other_systems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Expected a ContrastiveTraining system to export, found LightningModule"):
        ModelExport(tmp_path).setup(TRAINER, L.LightningModule(), "fit")


def test_only_the_first_device_writes(tmp_path: Path) -> None:
    trainer: Any = SimpleNamespace(is_global_zero=False)
    ModelExport(tmp_path / "mine").on_fit_end(trainer, ContrastiveTraining(MODEL))
    assert not (tmp_path / "mine").exists()
