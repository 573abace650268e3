from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_finished_runs_side_by_side(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    run = command(*predict_words, "--data.limit_classes=2").run
    shutil.copytree(run, tmp_path / "other")
    outcome = command("compare", run, tmp_path / "other", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.output.count("tiny") >= 2
    assert list((tmp_path / "table").glob("*.csv"))


def test_unfinished_run_is_named(command: Callable[..., Any], tmp_path: Path) -> None:
    outcome = command("compare", "nowhere", "--out=table")
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected the folder of a finished run with results.json, found none")
    assert not (tmp_path / "table").exists()
