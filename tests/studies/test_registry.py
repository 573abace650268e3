from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from result_documents import results
from rich.console import Console, RenderableType

from mkbench.runs.finished_runs import Run
from mkbench.studies.registry import STUDIES, Study, present, write_report


def printed(tables: list[RenderableType]) -> str:
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(*tables)
    return console.export_text()


HEADS = results(top1=0.5) | {"system": "head_decomposition"}


def test_runs_of_each_system_get_its_tables(tmp_path: Path) -> None:
    explained = results(pca={"auc": 7.0})
    runs = [Run(tmp_path, "a", HEADS, {}), Run(tmp_path, "b", explained, {})]
    assert len(write_report(runs, tmp_path / "out")) == 2
    assert {"heads.csv", "table.csv"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert "7.0" in (tmp_path / "out" / "table.csv").read_text()
    assert "0.5" in (tmp_path / "out" / "heads.csv").read_text()


def test_without_a_folder_the_same_tables_are_shown_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [HEADS, results(top1=0.5, pca={"auc": 7.0}), results(top1=0.5) | {"system": "my_own"}]
    runs = [Run(tmp_path / name, name, document, {}) for name, document in zip("abc", documents, strict=True)]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shown, written = write_report(runs, None), write_report(runs, tmp_path / "out")
    assert printed(shown) == printed(written)
    assert len(shown) == 3
    assert list(Path.cwd().iterdir()) == []


def test_nothing_is_written_of_a_system_that_is_not_there(tmp_path: Path) -> None:
    assert len(write_report([Run(tmp_path, "a", HEADS, {})], tmp_path / "out")) == 1
    assert not (tmp_path / "out" / "table.csv").exists()


def test_systems_without_a_study_share_a_table_of_their_metrics(tmp_path: Path) -> None:
    own = [results(name, top1=0.5, pca={"auc": 7.0}) | {"system": f"my_{name}"} for name in ("a", "b")]
    runs = [Run(tmp_path / name, name, document, {}) for name, document in zip("ab", own, strict=True)]
    assert len(write_report([*runs, Run(tmp_path, "h", HEADS, {})], tmp_path / "out")) == 2
    lines = list(csv.DictReader((tmp_path / "out" / "metrics.csv").read_text().splitlines()))
    assert [(line["model"], line["system"], line["metric"]) for line in lines] == [
        (name, f"my_{name}", metric) for name in "ab" for metric in ("top1", "mutual_information_auc")
    ]


@pytest.mark.parametrize("system", list(STUDIES))
def test_every_system_with_a_study_exists(system: str) -> None:
    import mkbench.systems

    words = "".join(word.capitalize() for word in system.split("_"))
    assert hasattr(mkbench.systems, words)


def test_page_shows_what_the_files_hold(tmp_path: Path) -> None:
    own = results(top1=0.5, pca={"auc": 7.0}) | {"system": "mine"}
    explained = results(top1=0.5, pca={"auc": 7.0})
    runs = [Run(tmp_path, name, document, {}) for name, document in (("a", HEADS), ("b", explained), ("c", own))]
    assert [shown.title for shown in present(runs)] == ["Attention heads", "Mutual knowledge", "All metrics"]


@pytest.mark.parametrize("study", [study for studies in STUDIES.values() for study in studies])
def test_every_study_has_something_to_present(study: Study) -> None:
    assert study.present


def test_brief_is_the_first_of_each_study(tmp_path: Path) -> None:
    runs = [Run(tmp_path / name, name, results(name, top1=0.5, pca={"auc": 7.0}), {}) for name in "ab"]
    assert [shown.title for shown in present(runs)] == ["Mutual knowledge", "Models compared"]
    assert [shown.title for shown in present(runs, brief=True)] == ["Mutual knowledge"]
