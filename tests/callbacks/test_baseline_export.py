from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from toy_features import make_inputs, make_record, make_set

from mkbench.baselines import LinearProbe, load_head
from mkbench.callbacks.baseline_export import BaselineExport
from mkbench.errors import UsageError
from mkbench.systems import BaselineTraining
from mkbench.systems.features import CachedFeatures


def make_trainer(first: bool) -> Any:
    data = CachedFeatures.__new__(CachedFeatures)
    data.sets, data.batch_size = {"test": make_set()}, 5
    return SimpleNamespace(is_global_zero=first, datamodule=data, global_step=7)


def make_system() -> BaselineTraining:
    torch.manual_seed(0)
    system = BaselineTraining(LinearProbe)
    system.built = LinearProbe(make_inputs())
    return system


def test_writes_the_head_and_its_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CachedFeatures, "record", make_record())
    system, file = make_system(), tmp_path / "heads" / "probe.safetensors"
    BaselineExport(file).on_train_end(make_trainer(first=True), system)
    trained = load_head(file)
    batch = make_set().__getitems__(range(24))
    right = int((system.head(batch.features, batch.embedding).argmax(dim=1) == batch.target).sum())
    assert (trained.top1, trained.record["test_images"]) == (right / 24, 24)
    assert trained.record["training"] == {"learning_rate": [1e-4, 1e-5], "batch_size": 5, "steps": 7}
    said = f"linear-probe: top-1 {100 * right / 24:.1f} % of 24 test images, written to {file}\n"
    assert capsys.readouterr().out == said


def test_only_the_first_device_writes(tmp_path: Path) -> None:
    BaselineExport(tmp_path / "probe.safetensors").on_train_end(make_trainer(first=False), make_system())
    assert list(tmp_path.iterdir()) == []


def test_other_systems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Expected a BaselineTraining system to export, found LightningModule"):
        BaselineExport(tmp_path / "x").setup(make_trainer(first=True), L.LightningModule(), "fit")
