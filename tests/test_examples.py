"""docs/extending.md prints the files of examples/ as they are, and what it prints runs as printed."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from mkbench.runs.results import read_results

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
STEMS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def command_of(stem: str) -> str:
    (found,) = [line for block in blocks("sh") for line in block.splitlines() if f"examples/{stem}.yaml" in line]
    return found


@pytest.fixture
def run_example(tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Runs the command that the page prints, in a folder with nothing but the examples; returns the run folder."""

    def run(stem: str) -> Path:
        (tmp_path / "examples").symlink_to(EXAMPLES, target_is_directory=True)
        program, *words = shlex.split(command_of(stem))
        assert program == "mkbench"
        outcome = command(*words)
        assert (outcome.code, "mkbench:" in outcome.error) == (0, False)
        root = yaml.safe_load((EXAMPLES / f"{stem}.yaml").read_text(encoding="utf-8"))["results"]["root"]
        (folder,) = (tmp_path / root).iterdir()
        return folder

    return run


@pytest.mark.parametrize("stem", STEMS)
def test_page_prints_the_files(stem: str) -> None:
    for language, suffix in (("python", ".py"), ("yaml", ".yaml")):
        assert (EXAMPLES / f"{stem}{suffix}").read_text(encoding="utf-8") in blocks(language)


def test_page_prints_nothing_else() -> None:
    assert len(blocks("python")) == len(blocks("yaml")) == len(blocks("sh")) == len(STEMS) > 5


@pytest.mark.parametrize("stem", STEMS)
def test_example_has_one_class_that_its_configuration_names(stem: str) -> None:
    text = (EXAMPLES / f"{stem}.yaml").read_text(encoding="utf-8")
    (name,) = set(re.findall(rf"class_path: {stem}\.(\w+)", text))
    source = (EXAMPLES / f"{stem}.py").read_text(encoding="utf-8")
    assert f"\nclass {name}" in source
    assert 15 <= len([line for line in source.splitlines() if line.strip()]) <= 40


def test_explainer(run_example: Callable[[str], Path]) -> None:
    results = read_results(run_example("my_explainer"))
    explained = {metric["explainer"] for metric in results["metrics"] if metric["name"] == "mutual_information_auc"}
    assert explained == {"quarters", "random"}
    assert results["settings"]["explainers"]["quarters"] == {"topk": 2}


def test_scorer(run_example: Callable[[str], Path]) -> None:
    folder = run_example("my_scorer")
    for path in (folder / "groups").glob("*.parquet"):
        rows = pq.read_table(path, columns=["num_parts", "coverage"]).to_pylist()
        assert all((row["coverage"] > 0) == (row["num_parts"] > 0) and row["coverage"] <= 1 for row in rows)
    results = read_results(folder)
    (entry,) = [each for each in results["metrics"] if (each["name"], each["explainer"]) == ("coverage", "pca")]
    assert (0 < entry["value"] < 1, entry["n"], entry["higher_is_better"]) == (True, 2, None)
    assert "coverage" in results["settings"]["scorers"]


def test_metric(run_example: Callable[[str], Path], command: Callable[..., Any], tmp_path: Path) -> None:
    """It says what its docstring says of the rows, and is in the results, every table and the logger."""
    folder = run_example("my_metric")
    rows = [row for path in (folder / "groups").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    shares = [sum(row["hits"]) / len(row["hits"]) for row in rows if row["explainer"] == "pca" and row["hits"]]
    (entry,) = [
        each
        for each in read_results(folder)["metrics"]
        if (each["name"], each["explainer"]) == ("shared_concepts", "pca")
    ]
    assert entry["value"] == pytest.approx(sum(shares) / len(shares))
    assert (entry["n"], entry["higher_is_better"]) == (len(shares), True)

    _, *words = shlex.split(command_of("my_metric"))
    logger = ["--trainer.logger=lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir=logs"]
    outcome = command(*words, *logger, "--results.overwrite=true")
    printed = f"{100 * entry['value']:.1f}"
    assert outcome.code == 0
    assert "shared" in outcome.output
    assert printed in outcome.output
    (logged,) = (tmp_path / "logs").rglob("metrics.csv")
    (values,) = csv.DictReader(logged.read_text(encoding="utf-8").splitlines())
    assert float(values["shared_concepts/pca"]) == pytest.approx(entry["value"])

    outcome = command("compare", str(folder), "--out=table")
    assert outcome.code == 0
    assert printed in outcome.output
    (first, *_) = csv.DictReader((tmp_path / "table" / "table.csv").read_text(encoding="utf-8").splitlines())
    assert (first["explainer"], float(first["shared_concepts"])) == ("pca", entry["value"])
    lines = (tmp_path / "table" / "table.md").read_text(encoding="utf-8").splitlines()
    place = lines[0].split(" | ").index("shared % ↑")
    assert lines[2].split(" | ")[place].startswith(printed)


def test_system(run_example: Callable[[str], Path]) -> None:
    results = read_results(run_example("my_system"))
    assert (results["system"], results["settings"]) == ("one_prompt", {"prompt": "a drawing of a {}."})
    assert [(metric["name"], metric["n"]) for metric in results["metrics"]] == [("top1", 2), ("top5", 2)]


def test_datamodule(run_example: Callable[[str], Path]) -> None:
    results = read_results(run_example("my_datamodule"))
    assert (results["data"]["name"], results["data"]["images"], results["data"]["classes"]) == ("squares", 6, 3)
    assert results["data"]["bank"]["size"] == 6


def test_backbone(run_example: Callable[[str], Path]) -> None:
    folder = run_example("my_backbone")
    assert folder.name == "colours"
    results = read_results(folder)
    assert results["model"]["grid"] == [8, 8]
    assert results["data"]["images"] == 2


def test_callback(run_example: Callable[[str], Path]) -> None:
    folder = run_example("my_callback")
    lines = [line.split(",") for line in (folder / "seconds.csv").read_text(encoding="utf-8").splitlines()]
    assert [(key, images) for key, images, _ in lines] == [("00000-000", "1"), ("00001-000", "1")]
    assert all(float(seconds) > 0 for _, _, seconds in lines)
