"""Every configuration under `configs/` is run, on generated data and with the tiny model; none can be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mkbench import load_backbone

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
ALL = sorted(CONFIGS.rglob("*.yaml"))
#: Options that make a data set small, by the name of its class.
SMALL = {
    "Critters": ["--data.images_per_class=2"],
    "ImageFolder": ["--data.root=photos", "--data.bank=bank.json"],
}


def kind_of(content: dict[str, Any]) -> str:
    if "protocol" in content:
        return "bench"
    system = content["model"]["class_path"].rpartition(".")[2]
    return "fit" if system == "ContrastiveTraining" else "predict"


def of_kind(kind: str) -> list[Any]:
    chosen = [path for path in ALL if kind_of(yaml.safe_load(path.read_text(encoding="utf-8"))) == kind]
    return [pytest.param(path, id=str(path.relative_to(CONFIGS))) for path in chosen]


def small_predict(content: dict[str, Any], model: Path) -> list[str]:
    return [
        f"--model.backbone=local-dir:{model}",
        "--model.random_weights=false",
        "--model.num_language_concepts=5",
        "--model.pool=6",
        "--data.limit_classes=2",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--progress.enabled=false",
        "--figures.samples=1",
        *SMALL[content["data"]["class_path"].rpartition(".")[2]],
    ]


def test_all_configurations_are_found() -> None:
    assert len(of_kind("predict")) + len(of_kind("bench")) + len(of_kind("fit")) == len(ALL) > 0


@pytest.mark.parametrize("path", of_kind("predict"))
def test_predict(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    photo_tree: Callable[..., Path],
    write_bank: Callable[[], Path],
) -> None:
    photo_tree()
    write_bank()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    outcome = command("predict", f"--config={path}", "--results.root=runs", *small_predict(content, tiny_model))
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert results["data"]["images"] == 4
    assert {metric["explainer"] for metric in results["metrics"]} == {None, "pca", "kmeans"}


@pytest.mark.parametrize("path", of_kind("bench"))
def test_bench(path: Path, command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    protocol = path.parent / content["protocol"]
    own = {"protocol": str(protocol), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    small = small_predict(yaml.safe_load(protocol.read_text(encoding="utf-8")), tiny_model)
    outcome = command("bench", "--config=bench.yaml", "--out=runs", *small[1:])
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["data"]["images"] == 4


@pytest.mark.parametrize("path", of_kind("fit"))
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*before.*optimizer.step")
def test_fit(path: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    (export,) = content["trainer"]["callbacks"]
    assert export["init_args"]["folder"] == f"mkbench/assets/critters/{path.stem}"
    export["init_args"]["folder"] = str(tmp_path / path.stem)
    content["trainer"].update(max_epochs=1, max_steps=1, accelerator="cpu", enable_progress_bar=False)
    content["data"]["init_args"].update(
        train_per_class=1, train_wild=2, val_per_class=1, batch_size=16, render_workers=0
    )
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = command("fit", "--config=fit.yaml", "--trainer.limit_val_batches=1")
    assert (outcome.code, outcome.error) == (0, "")
    backbone = load_backbone(f"local-dir:{tmp_path / path.stem}")
    assert backbone.image_size == content["model"]["init_args"]["model"]["vision_cfg"]["image_size"]
    assert backbone.image_size == content["data"]["init_args"]["image_size"]
