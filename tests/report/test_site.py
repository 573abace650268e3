from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_runs import HOSTILE, write_object, write_run

from mkbench.errors import DataError
from mkbench.report.site import write_site
from mkbench.runs.finished_runs import read_runs


def test_table_of_runs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, name) for name in ("a", "b")]
    path = write_site(read_runs([*runs, write_run(tmp_path / "c", HOSTILE)]), tmp_path / "site")
    assert [found.name for found in path.parent.iterdir()] == ["index.html"]
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>([^<]+)", text) == ["Mutual knowledge", "What was run"]
    assert "<p>3 runs, each compared" in text
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert" in text


def test_changed_run_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, name) for name in ("a", "b")]
    document = read_runs(runs)[1].results
    document["metrics"][0]["value"] = 1.0
    write_object(runs[1] / "results.json", document)
    with pytest.raises(DataError, match=r"Expected .*/b \(b\) as it was written, with the top1 of its rows"):
        write_site(read_runs(runs), tmp_path / "site")
    assert not (tmp_path / "site").exists()
