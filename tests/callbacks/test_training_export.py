from __future__ import annotations

import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import yaml
from toy_data import CONFIGS
from toy_features import shrink_baseline

from mkbench.cli.main import main
from mkbench.systems import BaselineTraining
from mkbench.systems.contrastive import ContrastiveTraining


def write_baseline(name: str, model: Path, folder: Path) -> None:
    """Configuration of three epochs of three steps."""
    content = yaml.safe_load((CONFIGS / "critters" / "baselines" / f"{name}.yaml").read_text(encoding="utf-8"))
    shrink_baseline(content, model=model, cache=folder / "cache")
    content["trainer"]["callbacks"][0]["init_args"]["file"] = "out/head.safetensors"
    (folder / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def write_contrastive(folder: Path) -> None:
    """Configuration of three epochs of two steps."""
    content = yaml.safe_load((CONFIGS / "critters" / "train" / "critters-vit-s.yaml").read_text(encoding="utf-8"))
    content["trainer"].update(max_epochs=3, accelerator="cpu", precision=32, enable_progress_bar=False)
    content["trainer"]["callbacks"][0]["init_args"]["folder"] = "out/model"
    content["model"]["init_args"]["model"] = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
        "text_cfg": {"context_length": 32, "width": 32, "heads": 2, "layers": 1},
    }
    content["data"]["init_args"].update(
        image_size=32, train_per_class=1, train_wild=0, val_per_class=1, batch_size=16, render_workers=0
    )
    (folder / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def sigterm_at(system: type[L.LightningModule], step: int) -> Iterator[None]:
    """Let a training send SIGTERM to this process in one of its steps."""
    trained: Any = system.training_step

    def training_step(module: L.LightningModule, batch: Any, index: int) -> Any:
        if module.global_step == step:
            signal.raise_signal(signal.SIGTERM)
        return trained(module, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "training_step", training_step)
        yield


@pytest.mark.parametrize(("kind", "steps"), [("mm_cbm", 3), ("contrastive", 2)])
def test_stopped_training_ends_with_the_same_weights(
    command: Callable[..., Any], tiny_model: Path, tmp_path: Path, kind: str, steps: int
) -> None:
    if kind == "contrastive":
        write_contrastive(tmp_path)
    else:
        write_baseline(kind, tiny_model, tmp_path)
    assert command("fit", "--config=fit.yaml").code == 0
    whole = contents(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "whole")
    system = ContrastiveTraining if kind == "contrastive" else BaselineTraining
    with sigterm_at(system, steps + 1):  # within the second epoch of three
        stopped = command("fit", "--config=fit.yaml")
    assert stopped.code == 143
    assert "the same command goes on from there" in stopped.error
    (kept,) = (tmp_path / "out").iterdir()  # nothing half written
    assert torch.load(kept, weights_only=True)["global_step"] == steps
    went_on = command("fit", "--config=fit.yaml")
    assert (went_on.code, went_on.error) == (0, "")
    assert f"training goes on from {kept.relative_to(tmp_path)} after {steps} steps" in went_on.output
    assert contents(tmp_path / "out") == whole


@pytest.fixture(scope="module")
def stopped_once(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    write_baseline("linear_probe", tiny_model, folder)
    with pytest.MonkeyPatch.context() as patch, sigterm_at(BaselineTraining, 4):
        patch.chdir(folder)
        assert main(["fit", "--config=fit.yaml"]) == 143
    return folder


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """State of a training that was stopped in its second epoch."""
    shutil.copytree(stopped_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out" / "head.safetensors.ckpt"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--model.learning_rate=0.01", "settings.model.init_args.learning_rate (0.003, now 0.01)"),
        ("--trainer.max_epochs=4", "settings.trainer.max_epochs (3, now 4)"),
        ("--seed_everything=1", "settings.seed_everything (0, now 1)"),
    ],
)
def test_another_training_does_not_go_on(command: Callable[..., Any], stopped: Path, option: str, said: str) -> None:
    before = stopped.read_bytes()
    outcome = command("fit", "--config=fit.yaml", option)
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert said in outcome.error
    assert stopped.read_bytes() == before


def test_deleting_the_state_starts_again(command: Callable[..., Any], stopped: Path) -> None:
    assert "delete the file to start again" in command("fit", "--config=fit.yaml", "--seed_everything=1").error
    stopped.unlink()
    again = command("fit", "--config=fit.yaml", "--seed_everything=1")
    assert (again.code, "goes on" in again.output) == (0, False)


def test_other_weights_under_the_same_name_do_not_go_on(
    command: Callable[..., Any], stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkbench.backbones.base.Backbone.fingerprint", "another")
    assert "found another: backbone.fingerprint" in command("fit", "--config=fit.yaml").error


class Payload:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


def test_damaged_or_foreign_state_is_refused(command: Callable[..., Any], stopped: Path, tmp_path: Path) -> None:
    whole, with_code = stopped.read_bytes(), tmp_path / "with_code"
    torch.save({**torch.load(stopped, weights_only=True), "more": Payload()}, with_code)
    pickles = [pickle.dumps(Payload()), pickle.dumps({"mkbench": 1}, protocol=2)]
    for content in [b"", b"text", whole[: len(whole) // 2], with_code.read_bytes(), *pickles]:
        stopped.write_bytes(content)
        outcome = command("fit", "--config=fit.yaml")
        assert outcome.code == 1
        assert "found a damaged or another file; delete it to start again" in outcome.error
        assert not (tmp_path / "executed").exists()


def test_torn_and_left_over_states_go_with_the_last(command: Callable[..., Any], stopped: Path) -> None:
    stopped.with_name(f".{stopped.name}.123").write_bytes(b"half")  # of a process that was killed while it wrote
    assert command("fit", "--config=fit.yaml").code == 0
    assert [path.name for path in stopped.parent.iterdir()] == ["head.safetensors"]
