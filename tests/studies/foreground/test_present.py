from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_runs import write_run

from mkbench.errors import DataError
from mkbench.runs.finished_runs import read_runs
from mkbench.runs.results import Estimate
from mkbench.runs.run_folder import clear_run
from mkbench.studies.foreground.present import keep_comparison, present_foregrounds, read_comparison
from mkbench.studies.foreground.study import ForegroundComparison
from mkbench.tables import to_markdown

SHARES = [Estimate(value, (value - 0.125, value + 0.125)) for value in (0.25, 0.75, 0.5)]
FOUND = ForegroundComparison(
    *("vit", ("tokens", "spectral"), 8, *SHARES),
    gain=Estimate(0.5, (0.25, 0.75)),
    gain_over_whole=Estimate(0.25, (-0.125, 0.5)),
)


def test_comparison_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """Under the label that the run has among others."""
    (run,) = read_runs(write_run(tmp_path / "run", "ViT-B/16"))
    keep_comparison(run.folder, FOUND)
    assert read_comparison(run) == replace(FOUND, model="ViT-B/16")


def test_only_runs_that_keep_one_are_shown(tmp_path: Path) -> None:
    runs = read_runs([write_run(tmp_path / name, name) for name in ("a", "b")])
    assert present_foregrounds(runs) is None
    keep_comparison(tmp_path / "b", FOUND)
    shown = present_foregrounds(runs)
    assert shown is not None
    text = to_markdown(shown.tables[0])
    assert "| b | 25.0 [12.5, 37.5] | 75.0 [62.5, 87.5] | +50.0 ✔ [25.0, 75.0] |" in text
    assert "| a |" not in text


def test_a_run_that_goes_on_loses_it(tmp_path: Path) -> None:
    keep_comparison(write_run(tmp_path / "run"), FOUND)
    clear_run(tmp_path / "run", finished=False)
    assert not (tmp_path / "run" / "foreground.json").exists()


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path / "run"))
    keep_comparison(run.folder, FOUND)
    path = run.folder / "foreground.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"keys": [0.5]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"foreground\.json keys to hold 2 entries, found 1; delete it"):
        present_foregrounds([run])
