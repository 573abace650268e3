from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkbench.cli.bench_config import BenchConfig
from mkbench.cli.commands import demo


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the demo would run; the exit code to answer with is in `code`."""
    call: dict[str, Any] = {"code": 0}

    def run_bench(config: BenchConfig, out: Path, **options: Any) -> int:
        call.update(config=config, out=out, there=config.protocol.is_file(), **options)
        return int(call["code"])

    monkeypatch.setattr(demo, "run_bench", run_bench)
    return call


def test_demo_runs_the_four_bundled_models(command: Callable[..., Any], started: dict[str, Any]) -> None:
    outcome = command("demo", "--out=mine", "--data.limit_classes=2")
    assert outcome.code == 0
    names = [model["backbone"] for model in started["config"].models]
    assert names == ["critters-vit-s", "critters-vit-m", "critters-vit-l", "critters-rn"]
    assert started["there"]
    assert (started["out"], started["overrides"]) == (Path("mine"), ["--data.limit_classes=2"])


def test_demo_says_what_comes_next(command: Callable[..., Any], started: dict[str, Any]) -> None:
    outcome = command("demo")
    assert "mkbench predict --config configs/image_folder.yaml" in outcome.output
    assert "runs/demo/<model>/" in outcome.output


def test_stopped_demo_goes_on_and_overwrites_when_asked(command: Callable[..., Any], started: dict[str, Any]) -> None:
    command("demo")
    assert started["overwrite"] is False
    command("demo", "--overwrite")
    assert started["overwrite"] is True


def test_failure_is_passed_on(command: Callable[..., Any], started: dict[str, Any]) -> None:
    started["code"] = 1
    assert command("demo").code == 1


@pytest.mark.slow
def test_demo_on_two_processes_gives_the_results_of_one(command: Callable[..., Any], tmp_path: Path) -> None:
    words = [
        "--data.images_per_class=1",
        "--data.limit_classes=6",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
    ]
    assert command("demo", "--out=alone", *words).code == 0
    assert command("demo", "--out=both", *words, "--trainer.devices=2", "--trainer.strategy=ddp").code == 0
    models = [path.parent.name for path in (tmp_path / "alone").glob("*/results.json")]
    assert len(models) == 4
    for model in models:
        one, two = (json.loads((tmp_path / run / model / "results.json").read_text()) for run in ("alone", "both"))
        assert one["fallbacks"] == two["fallbacks"]
        for metric, other in zip(one["metrics"], two["metrics"], strict=True):
            assert (metric["name"], metric["explainer"], metric["n"]) == (other["name"], other["explainer"], other["n"])
            assert metric["value"] == pytest.approx(other["value"], abs=1e-6)
            assert metric["interval"] == pytest.approx(other["interval"], abs=1e-6)
