from __future__ import annotations

from pathlib import Path
from typing import Any

from result_documents import make_results

from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.present import present_interventions
from mkbench.tables import to_markdown

VALUES = {"intervention_j": 0.5, "intervention_j_mispaired": 0.125, "intervention_j_wings": 0.75}


def run(**values: float) -> Run:
    results: Any = make_results(
        *((metric, "pca", value) for metric, value in values.items()),
        ("intervention_score_auc", None, 0.625),
        missed=[("intervention_j", "pca", "mispaired"), ("deletion", "pca", "reversed")],
    )
    return Run(Path("a"), "ViT", results, {})


def test_scores_stand_beside_their_controls() -> None:
    shown = present_interventions([run(**VALUES)])
    assert shown is not None
    header, _, row, *notes = to_markdown(shown.tables[0]).split("| model", 1)[1].splitlines()
    assert header == " | parts | J ↑ | J, mispaired | score AUC ↑ |"
    assert "| 0.500‖ [0.400, 0.600] | 0.125 [0.025, 0.225] | 0.625 [0.525, 0.725] |" in row
    assert [note[0] for note in notes if "no better than" in note] == ["‖"]


def test_each_thing_that_was_changed_has_its_column() -> None:
    shown = present_interventions([run(**VALUES)])
    assert shown is not None
    text = to_markdown(shown.tables[1])
    assert "| model | parts | J, wings ↑ |" in text
    assert "| 0.750 [0.650, 0.850] |" in text


def test_runs_without_changed_images_show_nothing() -> None:
    assert present_interventions([run(deletion=0.5)]) is None
