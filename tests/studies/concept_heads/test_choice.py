from __future__ import annotations

from pathlib import Path

import pytest
import torch
from concept_head_runs import OF_HEADS, change_results, heads_run, knowledge_run, runs_of

from mkbench.runs.results import Estimate
from mkbench.studies.concept_heads.choice import concept_head_notes, concept_head_rows, join_models

IMAGES = {"ant/0": [1], "bee/0": [2]}
HEADS = {name: torch.ones(2, 2, 3) for name in IMAGES}


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Runs of both systems of a model, and one of each of two others that share a name."""
    return {
        "a-mk": knowledge_run(tmp_path / "mk" / "a", IMAGES, name="A", fingerprint="1"),
        "b-mk": knowledge_run(tmp_path / "mk" / "b", IMAGES, name="B", fingerprint="2"),
        "a-heads": heads_run(tmp_path / "heads" / "a", HEADS, name="A", fingerprint="1"),
        "b-heads": heads_run(tmp_path / "heads" / "b", HEADS, name="B", fingerprint="3"),
        "c-mk": knowledge_run(tmp_path / "mk" / "c", IMAGES, name="C", fingerprint="1"),
    }


def test_runs_of_one_model_are_joined_and_others_are_not(runs: dict[str, Path]) -> None:
    models, notes = join_models(runs_of(*runs.values()))
    assert [model.label for model in models] == ["A"]
    assert (models[0].knowledge.folder, models[0].heads.folder) == (runs["a-mk"], runs["a-heads"])
    # Equal weights under another name are another model, as is another geometry under one name.
    assert notes == (
        "Not joined, for other weights, geometry or precision under one name: B (mk), B (heads).",
        "Not in the table of concept heads, for want of a run of the other system: C.",
    )


@pytest.mark.parametrize("names", [("a-mk", "b-mk"), ("a-heads", "b-heads"), ()])
def test_one_system_alone_has_nothing_to_join(runs: dict[str, Path], names: tuple[str, ...]) -> None:
    assert join_models(runs_of(*(runs[name] for name in names))) == ([], ())


def test_several_pairs_of_one_model_are_told_apart(runs: dict[str, Path], tmp_path: Path) -> None:
    again = knowledge_run(tmp_path / "again" / "a", IMAGES, name="A", fingerprint="1")
    models, notes = join_models(runs_of(runs["a-mk"], again, runs["a-heads"]))
    assert [model.label for model in models] == ["A (mk + heads)", "A (again + heads)"]
    assert [row["model"] for row in concept_head_rows(models)] == ["A (mk + heads)"] * 2 + ["A (again + heads)"] * 2
    assert notes == ()


def test_rows_hold_both_systems(runs: dict[str, Path]) -> None:
    models, _ = join_models(runs_of(runs["a-mk"], runs["a-heads"]))
    pca, kmeans = concept_head_rows(models, {("A", "pca"): {"carried": Estimate(0.75)}})
    assert (pca["model"], pca["explainer"], pca["estimator"]) == ("A", "pca", "paper")
    assert [pca[key].value for key in ("top1", "mutual_information", "auc", "excess")] == [50.0, 3.0, 2.0, 1.5]
    for name, value in OF_HEADS.items():
        assert pca[name] == kmeans[name] == Estimate(value, (value - 0.1, value + 0.1))
    assert pca["concept_consistency_ratio"] is None
    assert (pca["carried"], kmeans["carried"], pca["beaten"]) == (Estimate(0.75), None, None)
    assert concept_head_notes(models) == ()


def test_differences_within_a_pair_are_noted(runs: dict[str, Path], tmp_path: Path) -> None:
    fresh = heads_run(tmp_path / "fresh", HEADS, name="A", fingerprint="1", described=False)
    change_results(fresh, data__images=12, data__resize="model")
    models, _ = join_models(runs_of(runs["a-mk"], fresh))
    assert concept_head_notes(models) == (
        "A: its runs differ in data.resize: squash for mutual knowledge, model for heads.",
        "A: its runs differ in data.images: 40 for mutual knowledge, 12 for heads.",
        f"A: heads not described yet; `mkbench heads {fresh}` does it.",
    )
    assert all(row["entanglement"] is None for row in concept_head_rows(models))
