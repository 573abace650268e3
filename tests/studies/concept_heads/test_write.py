from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from concept_head_rows import printed, words
from concept_head_runs import heads_run, knowledge_run, runs_of
from torch import Tensor

from mkbench.errors import BackboneError
from mkbench.runs.finished_runs import Run
from mkbench.studies.concept_heads.choice import ConceptHeadModel
from mkbench.studies.concept_heads.write import write_concept_heads

CONCEPTS = {"ant/0": [1], "bee/0": [2], "cat/0": [1, 2]}
ADDED = {name: torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(len(name))) for name in CONCEPTS}


def embed(model: ConceptHeadModel) -> tuple[Sequence[str], Tensor]:
    return ("none", "colour", "tail"), torch.eye(3)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Two models with runs of both systems."""
    folders = [
        make(tmp_path / system / name, images, name=name, fingerprint=name)
        for name in ("A", "B")
        for system, make, images in (("mk", knowledge_run, CONCEPTS), ("heads", heads_run, ADDED))
    ]
    return runs_of(*folders)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


TABLES = {"concept_heads.csv", "concept_heads.md", "concept_heads.tex", "concept_heads.png", "concept_heads.pdf"}
CARRIERS = {
    "concept_heads_by_class.csv",
    *(f"concept_heads/{model}-pca.{kind}" for model in "AB" for kind in ("png", "pdf")),
}


def test_two_models_have_tables_and_figures(runs: list[Run], tmp_path: Path) -> None:
    out = tmp_path / "out"
    lines = words(printed(write_concept_heads(runs, out, embed)))
    assert names(out) == TABLES | CARRIERS
    assert sum(line.startswith("Heads that carry the mutual concepts") for line in lines) == 2
    assert (out / "concept_heads_by_class.csv").read_text().count("\n") == 1 + 2 * 3 * 4  # models, classes, heads


def test_a_model_that_cannot_be_loaded_costs_no_other(runs: list[Run], tmp_path: Path) -> None:
    def fail(model: ConceptHeadModel) -> tuple[Sequence[str], Tensor]:
        if model.label == "A":
            raise BackboneError("Expected a folder, found none.")
        return embed(model)

    out = tmp_path / "out"
    write_concept_heads(runs, out, embed)
    text = " ".join(words(printed(write_concept_heads(runs, out, fail))))
    assert "A: no concept heads. Expected a folder, found none." in text
    assert names(out) == TABLES | {name for name in CARRIERS if "/A" not in name}


def test_models_without_a_counterpart_have_notes_alone(runs: list[Run], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_concept_heads(runs, out, embed)
    (out / "concept_heads" / "mine.txt").touch()
    shown = write_concept_heads([runs[0], runs[3]], out, embed)
    assert shown is not None
    assert words(printed(shown)) == [
        "Not in the table of concept heads, for want of a run of the other system: A (mk), B (heads)."
    ]
    assert names(out) == {"concept_heads/mine.txt"}


def test_one_system_alone_writes_nothing(runs: list[Run], tmp_path: Path) -> None:
    for own in (runs[::2], runs[1::2]):
        assert write_concept_heads(own, tmp_path / "out", embed) is None
    assert not (tmp_path / "out").exists()
