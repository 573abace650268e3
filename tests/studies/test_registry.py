from __future__ import annotations

from pathlib import Path

from result_documents import results

from mkbench.runs.finished_runs import Run
from mkbench.studies.registry import write_report


def test_runs_of_each_kind_get_the_tables_of_their_kind(tmp_path: Path) -> None:
    heads = results(top1=0.5) | {"settings": {"system": "HeadDecomposition"}}
    explained = results(pca={"auc": 7.0})
    runs = [Run(tmp_path, "a", heads, {}), Run(tmp_path, "b", explained, {})]
    assert len(write_report(runs, tmp_path / "out")) == 2
    assert {"heads.csv", "table.csv"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert "7.0" in (tmp_path / "out" / "table.csv").read_text()
    assert "0.5" in (tmp_path / "out" / "heads.csv").read_text()


def test_nothing_is_written_of_a_kind_that_is_not_there(tmp_path: Path) -> None:
    heads = results(top1=0.5) | {"settings": {"system": "HeadDecomposition"}}
    assert len(write_report([Run(tmp_path, "a", heads, {})], tmp_path / "out")) == 1
    assert not (tmp_path / "out" / "table.csv").exists()
