from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_finished_runs_side_by_side(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    run = command(*predict_words, "--data.limit_classes=2").run
    shutil.copytree(run, tmp_path / "again" / "tiny")
    outcome = command("compare", run, tmp_path / "again" / "tiny", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    # One model twice: the folders tell the runs apart.
    assert "tiny (runs)" in outcome.output
    assert "tiny (again)" in outcome.output
    names = {path.name for path in (tmp_path / "table").iterdir()}
    assert {"table.csv", "table.tex", "ranks.csv", "pairs.csv", "pairs.md", "dynamics.png", "accuracy.pdf"} <= names
    with (tmp_path / "table" / "pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert [(pair["images"], float(pair["auc"]), float(pair["top1_high"])) for pair in pairs] == [("4", 0, 0)] * 2
    assert outcome.output.count("not apart") > 2
    assert command("compare", "runs", "--out=single").code == 0  # the folder of a bench
    assert not (tmp_path / "single" / "pairs.csv").exists()


def test_unfinished_run_is_named(command: Callable[..., Any], tmp_path: Path) -> None:
    outcome = command("compare", "nowhere", "--out=table")
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected the folder of a finished run with results.json, found none")
    assert not (tmp_path / "table").exists()
