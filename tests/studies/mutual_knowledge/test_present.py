from __future__ import annotations

from pathlib import Path

import pytest
from report_runs import write_run

from mkbench.runs.finished_runs import Runs, read_runs
from mkbench.studies.mutual_knowledge.present import present_classes, present_models, present_pairs


def runs(tmp_path: Path, *labels: str, **options: int) -> Runs:
    return read_runs(
        [write_run(tmp_path / label, label, scale=1.0 + 0.5 * place, **options) for place, label in enumerate(labels)]
    )


def test_one_run_has_its_table_and_its_curve(tmp_path: Path) -> None:
    own = runs(tmp_path, "a")
    shown = present_models(own)
    assert [table.title for table in shown.tables] == ["Mutual knowledge of each model, by explainer"]
    # Curves (1 0 0), (2 .5 0) and (3 1 0): their means average to 5/6.
    assert [row["auc"].value for row in shown.tables[0].rows] == pytest.approx([5 / 6] * 2)
    captions = [plot.caption for plot in shown.plots]
    assert len(captions) == 2
    assert captions[1].startswith("Mutual information while vision concepts are removed")
    assert present_pairs(own) is None


def test_several_runs_have_ranks_and_pairs(tmp_path: Path) -> None:
    shown = present_pairs(runs(tmp_path, "a", "b", "c", images=4))
    assert shown is not None
    assert [table.title for table in shown.tables] == [
        "Ranks among the models of one explainer (1 is best)",
        "Each model and the next in rank (by excess AUC)",
    ]
    assert "ranks of 3 models by AUC beside other scores, Kendall's tau: " in shown.tables[0].notes[0]
    assert [table.title for table in shown.details] == ["Differences of all pairs of models"]
    assert len(shown.details[0].rows) == 2 * 3


def test_runs_that_share_no_image_have_ranks_alone(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a", "a"), write_run(tmp_path / "b", "b", classes=("x", "y"))
    shown = present_pairs(read_runs([first, second]))
    assert shown is not None
    assert len(shown.tables) == 1
    assert shown.details == ()


def test_classes_of_each_run_and_those_on_which_runs_differ(tmp_path: Path) -> None:
    shown = present_classes(runs(tmp_path, "a", "b"))
    assert shown is not None
    assert [table.title for table in shown.tables] == [
        f"Classes whose AUC differs most between models, {parts}" for parts in ("PCA", "K-means")
    ]
    # Curves (1 0 0), (2 .5 0) and (3 1 0), half as much again in b: ant differs most.
    assert shown.tables[0].rows == ["ant", "bat", "owl"]
    both, *details = shown.details
    assert both.title == "Intervals over images and over classes"
    assert len(details) == 2 * 2 * 2
    assert details[0].title == "Classes by AUC, a, PCA: all 3"


def test_runs_without_group_files_have_no_classes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    for path in (run / "groups").iterdir():
        path.unlink()
    assert present_classes(read_runs(run)) is None


def test_controls_are_no_classes_to_rank(tmp_path: Path) -> None:
    shown = present_classes(runs(tmp_path, "a"))
    assert shown is not None
    assert not [table.title for table in shown.details if "random" in table.title]
