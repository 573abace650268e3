from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
import yaml
from toy_data import CONFIGS
from toy_features import make_inputs, make_set, shrink_baseline

from mkbench.baselines import MMCBM, Head, load_head
from mkbench.errors import UsageError
from mkbench.systems import BaselineTraining
from mkbench.systems.baseline_training import measure_top1

BASELINES = CONFIGS / "critters" / "baselines"


@pytest.fixture
def fit(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Trains a head on few images and returns its file."""

    def run(stem: str, name: str, *words: str, code: int = 0, error: str = "") -> Path:
        content = yaml.safe_load((BASELINES / f"{stem}.yaml").read_text(encoding="utf-8"))
        shrink_baseline(content, model=tiny_model, cache=tmp_path / "cache")
        content["trainer"]["callbacks"][0]["init_args"]["file"] = str(tmp_path / f"{name}.safetensors")
        (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        outcome = command("fit", "--config=fit.yaml", *words)
        assert outcome.code == code
        assert error in outcome.error
        assert bool(outcome.error) == bool(error)
        return tmp_path / f"{name}.safetensors"

    return run


def test_files_are_the_same_whether_or_not_images_are_encoded_first(fit: Callable[..., Path]) -> None:
    one, two = (fit("mm_protosim", name, "--model.head.width=8").read_bytes() for name in ("one", "two"))
    assert one == two
    assert fit("mm_protosim", "three", "--model.head.width=8", "--seed_everything=1").read_bytes() != one


def test_record_holds_how_it_was_trained(fit: Callable[..., Path]) -> None:
    trained = load_head(fit("mm_cbm", "head", "--model.head.width=8"))
    assert trained.head.options() == {"width": 8}
    assert trained.record["test_images"] == 8
    assert trained.top1 * 8 == int(trained.top1 * 8)
    assert trained.record["training"]["steps"] == 9  # three epochs of 12 images in batches of 4
    assert trained.record["data"]["train"]["name"] == "critters-train"


def test_trained_heads_explain(
    fit: Callable[..., Path], command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    explainers = []
    for stem, name in (("mm_cbm", "MMCBM"), ("mm_protosim", "MMProtoSim"), ("feature_maps", "FeatureMaps")):
        file = fit(stem, stem, *([] if stem == "feature_maps" else ["--model.head.width=8"]))
        explainers.append({"class_path": f"mkbench.baselines.{name}Explainer", "init_args": {"file": str(file)}})
    outcome = command(*predict_words, f"--model.explainers={json.dumps(explainers)}")
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert {metric["explainer"] for metric in results["metrics"]} == {None, "mm-cbm", "mm-protosim", "feature-maps"}
    told = results["settings"]["explainers"]["mm-cbm"]
    assert told["file_sha256"] == load_head(tmp_path / "mm_cbm.safetensors").sha256
    assert told["top1"] == load_head(tmp_path / "mm_cbm.safetensors").top1


def test_wrong_options_are_said_in_a_sentence(fit: Callable[..., Path]) -> None:
    fit("mm_cbm", "head", "--model.head.width=0", code=2, error="option width of the head mm-cbm to be positive")
    fit("mm_cbm", "head", "--model.learning_rate=1e-5", code=2, error="not above --model.learning_rate, found 0.0001")


def test_other_data_is_refused(command: Callable[..., Any], fit: Callable[..., Path], tmp_path: Path) -> None:
    fit("linear_probe", "head")
    content = yaml.safe_load((tmp_path / "fit.yaml").read_text(encoding="utf-8"))
    content["data"] = content["data"]["init_args"]["test"]
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = command("fit", "--config=fit.yaml")
    assert outcome.code == 2
    assert "CachedFeatures to train a baseline on, found Critters.\n" in outcome.error
    assert len(outcome.error.splitlines()) == 1


def test_rates() -> None:
    system = BaselineTraining(partial(MMCBM, width=4), learning_rate=0.1, final_learning_rate=0.01)
    system.built = MMCBM(make_inputs(), width=4)
    trainer: Any = SimpleNamespace(estimated_stepping_batches=8)
    object.__setattr__(system, "_trainer", trainer)
    system._fabric = None
    configured = system.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    # Half a cosine: the middle is the mean of both ends.
    assert (rates[0], rates[4], rates[8]) == pytest.approx((0.1, 0.055, 0.01))
    assert type(optimizer) is torch.optim.Adam
    assert configured["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize(("first", "last"), [(1e-5, 1e-4), (1e-4, 0.0)])
def test_rates_are_checked(first: float, last: float) -> None:
    with pytest.raises(UsageError, match=r"Expected a positive --model.final_learning_rate that is not above"):
        BaselineTraining(MMCBM, learning_rate=first, final_learning_rate=last)


def test_head_before_training() -> None:
    with pytest.raises(RuntimeError, match="Expected a head, found none"):
        _ = BaselineTraining(MMCBM).head


def test_top1_by_hand() -> None:
    class Always(Head):
        name = "always"

        def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, 1.0, 0.0]).expand(len(features), 3)

    # One of three classes, with as many images as the others.
    assert measure_top1(Always(make_inputs()), make_set(5), device=torch.device("cpu"), batch_size=4) == 1 / 3


def test_validation_measures_all_test_images(fit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, float] = {}

    def remember(self: BaselineTraining) -> None:
        seen.update({name: float(value) for name, value in self.trainer.callback_metrics.items()})

    monkeypatch.setattr(L.LightningModule, "on_train_end", remember)
    file = fit("lf_cbm", "head", "--trainer.check_val_every_n_epoch=1")
    assert seen["test_top1"] == pytest.approx(load_head(file).top1)
    assert "loss" in seen
