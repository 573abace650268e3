from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from mkbench.callbacks import ResultWriter, Visualiser
from mkbench.callbacks.result_writer import find_writer
from mkbench.datamodules import ClassGroup, Critters
from mkbench.runs.schema import FigureRegions, find_fault
from mkbench.systems import MutualKnowledge


@pytest.fixture(scope="module")
def data() -> Critters:
    return Critters(images_per_class=3, limit_classes=2, num_workers=0)


@pytest.fixture(scope="module")
def system(tiny_model: Path, data: Critters) -> MutualKnowledge:
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=20, pool=62, refine="none")
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    return system


def test_figures_are_drawn_of_classes_spread_over_the_list(
    command: Callable[..., Any], predict_words: list[str]
) -> None:
    # Of 32 classes two samples are the first and the seventeenth, of which the run has the first alone.
    run = command(*predict_words, "--figures.samples=2").run
    names = sorted(path.name for path in (run / "figures").glob("*.png"))
    drawn = [f"sample-00000-{name}.png" for name in ("kmeans", "pca", "random", "whole-image")]
    assert names == ["mutual-information-curve.png", *drawn]
    assert all((run / "figures" / name).stat().st_size > 5000 for name in names)
    images = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["groups"]["00000-000"]
    for name in drawn:
        with Image.open(run / "figures" / name) as figure:
            assert figure.info["Title"] in images  # so that a page can say in words what it shows
        regions = json.loads((run / "figures" / name).with_suffix(".json").read_text(encoding="utf-8"))
        assert find_fault(regions, FigureRegions) is None  # so that it can say where the parts lie


def test_no_sample_is_drawn_if_none_is_asked_for(command: Callable[..., Any], predict_words: list[str]) -> None:
    run = command(*predict_words, "--figures.samples=0").run
    assert [path.stem for path in (run / "figures").glob("*.png")] == ["mutual-information-curve"]


def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: Any, system: Any, data: Any) -> list[int]:
    """Return the numbers of the images that are drawn of a group."""
    drawn: list[int] = []
    writer = ResultWriter(tmp_path)
    writer._folder = tmp_path
    monkeypatch.setattr(
        "mkbench.callbacks.visualiser.sample_view", lambda result, index, *rest, **names: drawn.append(index)
    )
    monkeypatch.setattr("mkbench.callbacks.visualiser._save_sample", lambda view, base, sample_id: None)
    trainer: Any = SimpleNamespace(callbacks=[writer], datamodule=data)
    batch = result.group if result is not None else ClassGroup(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), 0, 0, ())
    Visualiser(samples=32).on_predict_batch_end(trainer, system, result, batch, 0)
    return drawn


def test_first_image_with_parts_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: MutualKnowledge, data: Critters
) -> None:
    result = system.explain_group(data.dataset(system.geometry, data.specs)[0])
    result.foreground.patches[:] = True
    result.foreground.patches[0] = False
    assert draw(tmp_path, monkeypatch, result, system, data) == [1, 1]  # once for each explainer


def test_group_without_a_readable_image_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: MutualKnowledge, data: Critters
) -> None:
    assert draw(tmp_path, monkeypatch, None, system, data) == []


def test_only_the_first_group_of_a_class_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: MutualKnowledge, data: Critters
) -> None:
    group = data.dataset(system.geometry, data.specs)[0]
    second = ClassGroup(group.images, 0, 1, group.sample_ids)
    assert draw(tmp_path, monkeypatch, system.explain_group(second), system, data) == []


def test_missing_writer_is_reported() -> None:
    trainer: Any = SimpleNamespace(callbacks=[Visualiser()])
    with pytest.raises(RuntimeError, match="Expected a ResultWriter among the trainer's callbacks"):
        find_writer(trainer)


def test_figure_that_fails_ends_no_run(
    command: Callable[..., Any], predict_words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range")

    monkeypatch.setattr("mkbench.callbacks.visualiser.save_figure", fail)
    with pytest.warns(UserWarning, match="A figure was left out: UnicodeEncodeError") as said:
        outcome = command(*predict_words, "--figures.samples=3")
    assert outcome.code == 0
    assert (outcome.run / "results.json").is_file()
    assert len([each for each in said if "left out" in str(each.message)]) == 1
