from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mkbench.cli.commands.demo import show_foregrounds
from mkbench.cli.main import main
from mkbench.datamodules import Critters
from mkbench.errors import DataError
from mkbench.metrics.functional import foreground_boxes
from mkbench.metrics.functional.corloc import localised
from mkbench.scorers import Localisation
from mkbench.studies.foreground.study import compare_foregrounds
from mkbench.systems import MutualKnowledge


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, predict_words: list[str]) -> Path:
    """A run of the tiny model over two images each of three kinds of critters, with CorLoc."""
    root = tmp_path_factory.mktemp("runs")
    words = [*predict_words, "--model.explainers=null", "--model.scorers=[{class_path: mkbench.scorers.Localisation}]"]
    assert main([*words, f"--results.root={root}"]) == 0
    return root / "tiny"


def built(tiny_model: Path, **options: Any) -> MutualKnowledge:
    return MutualKnowledge(
        f"local-dir:{tiny_model}", refine="components", num_language_concepts=12, encoder_chunk=4, **options
    )


def critters() -> Critters:
    return Critters(images_per_class=2, limit_classes=3, num_workers=0)


def test_foreground_is_that_of_a_run_with_the_other_settings(run: Path, tiny_model: Path) -> None:
    data = critters()
    found = compare_foregrounds(run, built(tiny_model), data, progress=False)
    assert found is not None
    other = built(tiny_model, features="keys", saliency="pca")
    other.prepare(data)
    dataset = data.dataset(other.geometry, data.specs, with_ground_truth=True)
    hits: list[bool] = []
    for place in range(3):
        group = dataset[place]
        assert group.ground_truth is not None
        assert group.ground_truth.boxes is not None
        pixels = other.explain_group(group).foreground.pixels
        hits += localised(foreground_boxes(pixels), group.ground_truth.boxes).tolist()
    metrics = json.loads((run / "results.json").read_text(encoding="utf-8"))["metrics"]
    values = {metric["name"]: metric["value"] for metric in metrics}
    assert (found.images, found.settings) == (6, ("tokens", "spectral"))
    assert found.keys.value == pytest.approx(sum(hits) / 6)
    assert found.own.value == pytest.approx(values["corloc"])
    assert found.whole.value == pytest.approx(values["corloc_whole_image"])
    (first, second, third), saliency = found.shown, other.explain_group(dataset[0]).foreground.saliency[0]
    assert np.allclose(first.keys.saliency, saliency.numpy(), atol=1e-5)
    assert [shown.keys.found for shown in (first, second, third)] == hits[::2]
    assert not np.allclose(first.own.saliency, first.keys.saliency)
    assert found.gain.value == pytest.approx(found.keys.value - found.own.value)
    assert found.gain_over_whole.value == pytest.approx(found.keys.value - found.whole.value)


def test_nothing_to_compare(run: Path, tiny_model: Path, predict_words: list[str], tmp_path: Path) -> None:
    keys = built(tiny_model, features="keys", saliency="pca")
    assert compare_foregrounds(run, keys, critters(), progress=False) is None
    words = [*predict_words, "--model.explainers=null", "--model.scorers=null", f"--results.root={tmp_path}"]
    assert main(words) == 0
    assert compare_foregrounds(tmp_path / "tiny", built(tiny_model), critters(), progress=False) is None


def test_other_weights_are_refused(run: Path, other_weights: Path) -> None:
    with pytest.raises(DataError, match="with the weights that"):
        compare_foregrounds(run, built(other_weights, scorers=[Localisation()]), critters(), progress=False)


def test_demo_prints_and_writes_both(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_foregrounds(run.parent)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Does the foreground find the object? CorLoc by two settings" in shown
    assert "--model.features keys --model.saliency pca" in shown
    lines = (run.parent / "foreground.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("model,images,corloc,corloc_low,corloc_high,corloc_keys")
    for suffix in ("md", "png", "pdf"):
        assert (run.parent / f"foreground.{suffix}").is_file()
    assert "Does the foreground find the object?" in (run.parent / "report.html").read_text(encoding="utf-8")
