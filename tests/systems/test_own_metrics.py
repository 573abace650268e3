"""Metrics of a user, and all metrics in the trainer's loggers, through the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from toy_data import CONFIGS

from mkbench.metrics.catalogue import metric_entry
from mkbench.metrics.entry import Display
from mkbench.runs.group_files import finished_groups, read_groups

LOGGER = ("--trainer.logger=lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir=logs")


def with_metrics(folder: Path, *names: str, scorers: list[str] | None = None, explainers: bool = False) -> str:
    """An option that names metrics, and scorers and random parts where asked for."""
    content: dict[str, Any] = {"metrics": [{"class_path": f"toy_metrics.{name}"} for name in names]}
    if scorers:
        content["scorers"] = [{"class_path": name} for name in scorers]
    if explainers:
        parts = {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"name": "pca", "pool": 62}}
        random = {"class_path": "mkbench.concepts.RandomParts", "init_args": {"pool": 62}}
        content["explainers"] = [parts, random]
    (folder / "own.yaml").write_text(yaml.safe_dump({"model": {"init_args": content}}), encoding="utf-8")
    return "--config=own.yaml"


def logged(folder: Path) -> dict[str, float]:
    """The metrics that the loggers wrote, the last line of the last run."""
    path = max((folder / "logs").rglob("metrics.csv"), key=lambda file: file.stat().st_mtime_ns)
    with path.open(encoding="utf-8") as file:
        *_, row = csv.DictReader(file)
    return {name: float(value) for name, value in row.items() if name != "step"}


def named(results: dict[str, Any]) -> dict[str, float]:
    return {
        metric["name"] + (f"/{metric['explainer']}" if metric["explainer"] else ""): metric["value"]
        for metric in results["metrics"]
    }


def test_metric_and_scorer_of_a_user_are_in_results_controls_and_loggers(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    own = with_metrics(tmp_path, "ConceptCount", scorers=["toy_metrics.Brightness"], explainers=True)
    outcome = command(*predict_words[:2], own, *predict_words[2:], *LOGGER)
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    found = {(metric["name"], metric["explainer"]): metric for metric in results["metrics"]}
    rows = [
        row
        for record in read_groups(outcome.run, finished_groups(outcome.run))
        for row in record.rows.to_pylist()
        if row["explainer"] == "pca"
    ]
    assert len(rows) == 6
    count = found["named_concepts", "pca"]
    assert count["value"] == pytest.approx(sum(len(row["descriptor_ids"]) for row in rows) / 6)
    assert count["interval"][0] <= count["value"] <= count["interval"][1]
    assert metric_entry(results, "named_concepts") == Display("concepts", "descriptors", 1, True)
    brightness = found["part_brightness", "pca"]
    assert brightness["value"] == pytest.approx(sum(row["brightness"] for row in rows) / 6)
    assert metric_entry(results, "part_brightness") == Display("part_brightness", "", 3, False)
    compared = {(entry["metric"], entry["explainer"], entry["control"]) for entry in results["controls"]}
    assert {("named_concepts", "pca", "random"), ("part_brightness", "pca", "random")} <= compared
    assert logged(tmp_path) == pytest.approx(named(results), rel=1e-12)


def test_metric_named_later_is_added_to_a_finished_run(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    before = command(*predict_words).results()
    outcome = command(*predict_words[:2], with_metrics(tmp_path, "ConceptCount"), *predict_words[2:])
    assert (outcome.code, outcome.error) == (0, "")
    after = outcome.results()
    assert {metric["name"] for metric in after["metrics"]} - {metric["name"] for metric in before["metrics"]} == {
        "named_concepts"
    }
    assert [metric for metric in after["metrics"] if metric["name"] != "named_concepts"] == before["metrics"]


def test_run_that_goes_on_logs_the_metrics_of_all_groups(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    outcome = command(*predict_words)
    (outcome.run / "groups" / "00001-000.parquet").unlink()
    outcome = command(*predict_words, *LOGGER)
    assert outcome.code == 0
    assert logged(tmp_path) == pytest.approx(named(outcome.results()), rel=1e-12)


def test_two_processes_log_what_the_results_say(predict_words: list[str], tmp_path: Path) -> None:
    words = [*predict_words, *LOGGER, "--trainer.devices=2", "--trainer.strategy=ddp"]
    finished = subprocess.run(
        [sys.executable, "-m", "mkbench", *words],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / "runs" / "tiny" / "results.json").read_text(encoding="utf-8"))
    assert {"top1", "mutual_information_auc/pca"} <= named(results).keys()
    assert logged(tmp_path) == pytest.approx(named(results), rel=1e-12)


@pytest.mark.parametrize("config", ["heads", "segmentation"])
def test_other_systems_take_metrics_too(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path, config: str
) -> None:
    words = [word for word in predict_words[2:] if not word.startswith("--model.refine")]
    own = with_metrics(tmp_path, "PredictedIndex")
    outcome = command("predict", f"--config={CONFIGS / 'critters' / f'{config}.yaml'}", own, *words)
    assert (outcome.code, outcome.error) == (0, "")
    (metric,) = [metric for metric in outcome.results()["metrics"] if metric["name"] == "predicted_index"]
    tables = [pq.read_table(path) for path in (outcome.run / "groups").iterdir()]
    predicted = [index for table in tables for index in table["predicted_index"].to_pylist()]
    assert metric["value"] == pytest.approx(sum(predicted) / len(predicted))
    assert (metric["explainer"], metric["n"]) == (None, 6)


def test_metric_of_a_column_that_is_not_there_is_refused(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    outcome = command(*predict_words[:2], with_metrics(tmp_path, "Astray"), *predict_words[2:])
    assert outcome.code == 2
    assert "Expected the metric 'astray' to read columns that the rows of this run have, found nowhere" in outcome.error
    assert not outcome.run.exists()
