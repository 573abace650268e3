from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from result_documents import results

from mkbench.runs.finished_runs import Run
from mkbench.studies.overview.study import (
    RULES,
    applied_rules,
    command_again,
    data_sentences,
    provenance_entries,
)


def run(folder: Path = Path("runs/vit"), **changes: Any) -> Run:
    return Run(folder, "ViT", results() | changes, {"seconds": 2.0})


def test_partial_and_unreadable_data_are_said() -> None:
    data = {"images": 8, "unreadable": ["a.png: cut"], "not_images": 3, "partial": {"groups": 1, "of": 4}}
    unreadable, beside, partial = data_sentences([run(data=data)])
    assert unreadable == "ViT: 1 of 9 images could not be read and are left out; the first: a.png: cut"
    assert "no images by their suffixes: 3" in beside
    assert partial.startswith("ViT: a partial run, 1 of 4 class groups")
    assert data_sentences([run()]) == []


def test_rules_that_never_applied_are_left_out() -> None:
    fallbacks = {"pca": {"no_foreground": 2, "single_part": 0}, "text": {"truncated": 1}}
    assert list(applied_rules(run(fallbacks=fallbacks))) == [("pca", "no_foreground", 2), ("text", "truncated", 1)]
    assert RULES["truncated"].unit == "texts"


def test_provenance_is_flat_and_short() -> None:
    settings = {"explainers": {"pca": {"num_parts": 5}, "none": {}}, "long": "x" * 300, "prompts": ["ring", "grey"]}
    entries = dict(provenance_entries(run(settings=settings)))
    assert entries["settings.explainers.pca.num_parts"] == "5"
    assert entries["settings.explainers.none"] == "{}"
    assert entries["settings.long"] == "x" * 200 + " …"
    assert entries["settings.prompts"] == '["ring", "grey"]'
    assert entries["environment.seconds"] == "2.0"
    assert entries["model.label"] == "ViT-B/16"


def test_command_quotes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my run; rm -rf"
    folder.mkdir()
    assert command_again(run(folder)) is None
    (folder / "config.yaml").write_text("seed: 0", encoding="utf-8")
    command = command_again(run(folder))
    assert command is not None
    assert shlex.split(command)[:4] == ["mkbench", "predict", "--config", f"{folder}/config.yaml"]
