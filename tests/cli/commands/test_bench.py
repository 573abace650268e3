from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from toy_data import CONFIGS

from mkbench.cli import trainer as cli
from mkbench.cli.bench_config import BenchConfig
from mkbench.cli.commands.bench import run_bench, train
from mkbench.errors import DataError, UsageError

PROTOCOL = CONFIGS / "critters" / "mutual_knowledge.yaml"
SMALL = [
    "--model.refine=components",
    "--data.images_per_class=2",
    "--data.limit_classes=2",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--progress.enabled=false",
    "--figures.samples=0",
]


@pytest.fixture
def bench(command: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Runs `mkbench bench` on the given models."""

    def run(*models: Any, options: Sequence[str] = ()) -> Any:
        content = {"protocol": str(PROTOCOL), "models": list(models)}
        (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
        return command("bench", "--config=bench.yaml", "--out=runs", *SMALL, *options)

    return run


@pytest.fixture
def second_model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "second"))


def test_every_model_has_its_run_folder_and_the_table_a_row(
    bench: Callable[..., Any], tiny_model: Path, second_model: Path, tmp_path: Path
) -> None:
    outcome = bench(f"local-dir:{tiny_model}", {"backbone": f"local-dir:{second_model}", "random_weights": True})
    assert (outcome.code, outcome.error) == (0, "")
    folders = sorted(path.parent.name for path in (tmp_path / "runs").glob("*/results.json"))
    assert folders == ["second_random-weights", "tiny"]
    assert "tiny" in outcome.output
    assert "second" in outcome.output
    assert "<title>mkbench: tiny, second" in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")
    for suffix in ("csv", "md", "tex"):
        tables = list((tmp_path / "runs").glob(f"*.{suffix}"))
        assert tables, suffix
        assert all("tiny" in table.read_text() for table in tables)


def test_failing_model_costs_no_other(bench: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    outcome = bench("local-dir:nowhere", f"local-dir:{tiny_model}")
    assert outcome.code == 1
    assert "mkbench: local-dir:nowhere failed: Expected a model folder" in outcome.error
    assert "Traceback" not in outcome.error
    assert (outcome.run / "results.json").is_file()
    assert "tiny" in outcome.output


def test_fault_of_a_model_costs_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def run_trainer(words: list[str]) -> None:
        if "--model.backbone=large" in words:
            raise RuntimeError("out of memory")
        done.extend(word for word in words if word.startswith("--model.backbone"))

    monkeypatch.setattr(cli, "run_trainer", run_trainer)
    config = BenchConfig(PROTOCOL, ({"backbone": "large"}, {"backbone": "small"}))
    assert run_bench(config, Path("nowhere")) == 1
    assert done == ["--model.backbone=small"]
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "mkbench: large failed: out of memory (out of memory); give a smaller --model.encoder_chunk" in error
    monkeypatch.setenv("MKBENCH_DEBUG", "1")
    assert run_bench(config, Path("nowhere")) == 1
    assert "Traceback" in capsys.readouterr().err


def collapse(model: Path) -> None:
    """Let the model give one embedding for whatever image."""
    weights = load_file(model / "open_clip_model.safetensors")
    weights["visual.ln_post.weight"] = torch.zeros_like(weights["visual.ln_post.weight"])
    weights["visual.ln_post.bias"] = torch.ones_like(weights["visual.ln_post.bias"])
    save_file(weights, model / "open_clip_model.safetensors")


def diverge(model: Path) -> None:
    """Let the weights of a model be NaN."""
    weights = load_file(model / "open_clip_model.safetensors")
    save_file({name: value * torch.nan for name, value in weights.items()}, model / "open_clip_model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (collapse, "Expected embeddings of second that differ between images, found the same for all of 2"),
        (diverge, "Expected finite weights of second, found NaN or infinity in"),
    ],
)
def test_spoilt_model_is_named_and_costs_no_other(
    bench: Callable[..., Any], tiny_model: Path, second_model: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(second_model)
    outcome = bench(f"local-dir:{second_model}", f"local-dir:{tiny_model}")
    assert outcome.code == 1
    assert said in outcome.error
    assert "Traceback" not in outcome.error
    assert (outcome.run / "results.json").is_file()


def test_option_of_a_message_about_another_run_works(bench: Callable[..., Any], tiny_model: Path) -> None:
    assert bench(f"local-dir:{tiny_model}").code == 0
    refused = bench(f"local-dir:{tiny_model}", options=["--model.seed=1"])
    assert "--results.overwrite true" in refused.error
    outcome = bench(f"local-dir:{tiny_model}", options=["--model.seed=1", "--results.overwrite", "true"])
    assert (outcome.code, outcome.results()["settings"]["seed"]) == (0, 1)


def test_misspelt_option_is_told_once(bench: Callable[..., Any], tiny_model: Path, second_model: Path) -> None:
    outcome = bench(f"local-dir:{tiny_model}", f"local-dir:{second_model}", options=["--data.lmit_classes=2"])
    assert outcome.code == 2
    assert outcome.error.count("\n") == 1
    assert "lmit_classes" in outcome.error


def test_finished_models_are_not_computed_again(
    bench: Callable[..., Any], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench(f"local-dir:{tiny_model}").run
    before = (run / "environment.json").stat().st_mtime_ns
    assert bench(f"local-dir:{tiny_model}").code == 0
    assert (run / "environment.json").stat().st_mtime_ns == before
    assert bench(f"local-dir:{tiny_model}", options=["--overwrite"]).code == 0
    assert (run / "environment.json").stat().st_mtime_ns > before


def test_every_variant_is_evaluated_and_named(
    command: Callable[..., Any], tiny_model: Path, second_model: Path, tmp_path: Path
) -> None:
    variants = {
        "published": {},
        "no transport": {
            "model.explainers": [
                {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"name": "pca", "transport": False}}
            ]
        },
        "u = 6": {"model.num_language_concepts": 6, "model.estimator": "shannon"},
    }
    models = [f"local-dir:{tiny_model}", f"local-dir:{second_model}"]
    content = {"protocol": str(PROTOCOL), "models": models, "variants": variants}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    outcome = command("bench", "--config=bench.yaml", "--out=runs", *SMALL)
    assert (outcome.code, outcome.error) == (0, "")
    settings = {
        str(path.parent.relative_to(tmp_path / "runs")): json.loads(path.read_text())["settings"]
        for path in (tmp_path / "runs").glob("*/*/results.json")
    }
    assert sorted(settings) == [f"{v}/{m}" for v in ("no-transport", "published", "u-6") for m in ("second", "tiny")]
    assert settings["u-6/tiny"]["num_language_concepts"] == 6
    assert settings["published/tiny"]["num_language_concepts"] == 12
    assert list(settings["no-transport/tiny"]["explainers"]) == ["pca"]
    assert not settings["no-transport/second"]["explainers"]["pca"]["transport"]
    assert "tiny (no-transport)" in (tmp_path / "runs" / "table.csv").read_text()


@pytest.mark.parametrize(("there", "again", "trained"), [(False, False, 1), (True, False, 0), (True, True, 1)])
def test_what_the_protocol_needs_is_trained_once(
    there: bool, again: bool, trained: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callbacks = [{"class_path": "a.B", "init_args": {"folder": "x"}}, {"init_args": {"file": str(tmp_path / "head")}}]
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    if there:
        (tmp_path / "head").touch()
    asked: list[list[str]] = []
    monkeypatch.setattr(cli, "run_trainer", asked.append)
    train(tmp_path / "fit.yaml", {"data.features": "keys"}, again=again)
    assert asked == [["fit", "--config", str(tmp_path / "fit.yaml"), "--data.features=keys"]] * trained


def test_options_of_trainings_go_to_them_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "fit.yaml"
    recipe.write_text(yaml.safe_dump({"trainer": {"callbacks": [{"init_args": {"file": str(tmp_path / "head")}}]}}))
    asked: list[list[str]] = []
    monkeypatch.setattr(cli, "run_trainer", asked.append)
    config = BenchConfig(PROTOCOL, ({"backbone": "a"},), train={recipe: {"data.features": "keys"}})
    overrides = ["--train.data.features=tokens", "--data.limit_classes=2"]
    assert run_bench(config, tmp_path, overrides=overrides) == 0
    fit, predict = asked
    assert fit == ["fit", "--config", str(recipe), "--data.features=keys", "--data.features=tokens"]
    assert predict[:5] == ["predict", "--config", str(PROTOCOL), "--data.limit_classes=2", "--model.backbone=a"]


def test_recipe_must_write_a_file(tmp_path: Path) -> None:
    (tmp_path / "fit.yaml").write_text("trainer: {callbacks: []}\n")
    with pytest.raises(UsageError, match=r"a callback with a `file` to write in .*fit\.yaml, found none"):
        train(tmp_path / "fit.yaml", {})


def test_full_disk_ends_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run_trainer(words: list[str]) -> None:
        asked.append(words)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "run_trainer", run_trainer)
    with pytest.raises(OSError, match="No space left"):
        run_bench(BenchConfig(PROTOCOL, ({"backbone": "a"}, {"backbone": "b"})), Path("nowhere"))
    assert len(asked) == 1


def test_error_of_data_that_all_models_share_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_trainer(words: list[str]) -> None:
        raise DataError("Expected images, found none.")

    monkeypatch.setattr(cli, "run_trainer", run_trainer)
    assert run_bench(BenchConfig(PROTOCOL, ({"backbone": "a"}, {"backbone": "b"})), Path("nowhere")) == 1


@pytest.mark.slow
def test_two_processes_for_every_model_give_the_results_of_one(
    bench: Callable[..., Any], tiny_model: Path, second_model: Path, tmp_path: Path
) -> None:
    models = [f"local-dir:{second_model}", f"local-dir:{tiny_model}"]
    first = bench(*models)
    assert first.code == 0
    alone = {path.parent.name: path.read_bytes() for path in (tmp_path / "runs").glob("*/results.json")}
    together = bench(*models, options=["--overwrite", "--trainer.devices", "2", "--trainer.strategy=ddp"])
    assert together.code == 0
    assert together.output.count("second") == first.output.count("second")  # one table, not one for each process
    assert together.output.index("second") < together.output.index("tiny")  # in the order of the bench
    both = {path.parent.name: path.read_bytes() for path in (tmp_path / "runs").glob("*/results.json")}
    assert both == alone
