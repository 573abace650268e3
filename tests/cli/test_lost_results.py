from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_data import CONFIGS

import mkbench
from mkbench.cli.lost_results import restore_results
from mkbench.cli.main import main
from mkbench.errors import DataError, MkbenchWarning, UsageError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, predict_words: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    words = [word for word in predict_words if not word.startswith("--results.root")]
    assert main([*words, f"--results.root={folder}", "--results.name=mine"]) == 0
    return folder / "mine"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may spoil."""
    return Path(shutil.copytree(finished, tmp_path / "bench" / "mine"))


@pytest.mark.parametrize("damage", [None, "", "{", "[]", '{"schema_version": 1}'])
def test_lost_or_damaged_results_are_those_of_the_run(finished: Path, run: Path, damage: str | None) -> None:
    if damage is None:
        (run / "results.json").unlink()
    else:
        (run / "results.json").write_text(damage, encoding="utf-8")
    assert [one.label for one in mkbench.read_runs(run)] == ["mine"]
    assert (run / "results.json").read_bytes() == (finished / "results.json").read_bytes()


def test_results_of_another_version_are_not_written_over(run: Path) -> None:
    newer = json.dumps({"schema_version": 99, "metrics": "of the future"})
    (run / "results.json").write_text(newer, encoding="utf-8")
    with pytest.raises(DataError, match="of schema version 1, found 99"):
        restore_results([run])
    assert (run / "results.json").read_text(encoding="utf-8") == newer


@pytest.mark.parametrize(
    "words", [["compare"], ["verify", "--against", "RUN"], ["report"], ["report", "--site=site"], ["class-token"]]
)
def test_commands_restore_results(command: Callable[..., Any], finished: Path, run: Path, words: list[str]) -> None:
    (run / "results.json").unlink()
    outcome = command(*(finished if word == "RUN" else word for word in words), run)
    assert outcome.code == 0
    assert "mkbench:" not in outcome.error
    assert (run / "results.json").read_bytes() == (finished / "results.json").read_bytes()


def test_missing_group_is_no_finished_run(run: Path) -> None:
    (run / "results.json").unlink()
    (run / "groups" / "00001-000.parquet").unlink()
    with pytest.raises(DataError, match=r"found 1 of 3 class groups missing, such as 00001-000; run its `mkbench pred"):
        restore_results([run])
    shutil.copytree(run, run.parent / "other")
    within_a_bench = pytest.warns(MkbenchWarning, match="Left out: Expected a finished run")
    with within_a_bench, pytest.raises(DataError, match="found unfinished ones"):
        restore_results([run.parent])


def test_results_are_not_built_from_another_model_or_a_strangers_class(run: Path, tmp_path: Path) -> None:
    (run / "results.json").unlink()
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["model"]["fingerprint"] = "another"
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DataError, match=r"found others: model\.fingerprint"):
        restore_results([run])
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(config.replace("mkbench.systems", "strange.systems"), encoding="utf-8")
    with pytest.raises(UsageError, match="--trust-config"):
        restore_results([run])


def test_damage_without_a_manifest_is_said(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="Expected JSON in"):
        restore_results([tmp_path])


def test_results_of_mined_runs_come_back(
    command: Callable[..., Any], tiny_model: Path, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "mined")
    config = CONFIGS / "critters" / "descriptor_zero_shot.yaml"
    words = [f"--config={config}", f"--model.backbone=local-dir:{tiny_model}", "--model.split=paper"]
    words += ["--data.images_per_class=2", "--data.limit_classes=3", "--data.num_workers=0", "--figures.samples=0"]
    words += ["--trainer.accelerator=cpu", "--progress.enabled=false", "--results.root=runs"]
    (tmp_path / "mined" / "results.json").unlink()
    outcome = command("predict", *words, "--model.mined_from=mined")
    assert (outcome.code, outcome.error) == (0, "")
    assert (tmp_path / "mined" / "results.json").read_bytes() == (finished / "results.json").read_bytes()
    whole = (outcome.run / "results.json").read_bytes()
    for lost in (tmp_path / "mined", outcome.run):  # a run whose own results are lost, too
        (lost / "results.json").unlink()
    restore_results([outcome.run])
    assert (outcome.run / "results.json").read_bytes() == whole


def test_mined_run_that_is_none_is_said(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    config = CONFIGS / "critters" / "descriptor_zero_shot.yaml"
    outcome = command(
        "predict", f"--config={config}", f"--model.backbone=local-dir:{tiny_model}", "--model.mined_from=nowhere"
    )
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "nowhere" in outcome.error


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heads", "segmentation", "descriptor_zero_shot"])
def test_results_of_every_system_come_back(name: str, tiny_model: Path, tmp_path: Path) -> None:
    words = ["predict", f"--config={CONFIGS / 'critters' / name}.yaml", f"--model.backbone=local-dir:{tiny_model}"]
    words += ["--data.images_per_class=2", "--data.limit_classes=2", "--data.num_workers=0", "--figures.samples=0"]
    words += ["--trainer.accelerator=cpu", "--progress.enabled=false", f"--results.root={tmp_path / 'runs'}"]
    assert main(words) == 0
    results = tmp_path / "runs" / "tiny" / "results.json"
    before = results.read_bytes()
    results.unlink()
    restore_results([tmp_path / "runs" / "tiny"])
    assert results.read_bytes() == before
