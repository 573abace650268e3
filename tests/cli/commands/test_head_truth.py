from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_data import CONFIGS

from mkbench.cli.main import main


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a bundled model over two images each of two kinds of critters, with labels."""
    folder = tmp_path_factory.mktemp("finished") / "runs"
    words = [
        "predict",
        f"--config={CONFIGS / 'critters' / 'heads.yaml'}",
        "--model.backbone=critters-vit-s",
        "--data.images_per_class=2",
        "--data.limit_classes=2",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        f"--results.root={folder}",
    ]
    assert main(words) == 0
    run = folder / "critters-vit-s"
    labels = {(0, 0): "fur", (0, 1): "sky", (1, 0): "wing", (1, 1): None}
    heads = [{"layer": layer, "head": head, "label": label} for (layer, head), label in labels.items()]
    (run / "labels.json").write_text(json.dumps({"heads": heads}))
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The run, where a test may change it."""
    shutil.copytree(finished, tmp_path / "runs" / finished.name)
    return tmp_path / "runs" / finished.name


def test_heads_are_measured_and_the_same_bytes(command: Callable[..., Any], run: Path) -> None:
    outcome = command("heads", "truth", run, "--images-per-class=1")
    assert outcome.code == 0
    assert "2/2 images" in outcome.error
    found = json.loads((run / "head_truth.json").read_text(encoding="utf-8"))
    assert (found["images"], len(found["factors"]), len(found["heads"])) == (2, 10, 4)
    assert [head["named"] for head in found["heads"]] == [["colour", "pattern"], [], ["wings"], []]
    for head in found["heads"]:
        shares = {factor: share["value"] for factor, share in head["shares"].items()}
        assert sum(shares.values()) == pytest.approx(1)
        assert shares[head["most"]] == max(shares.values())
    assert found["labels"]["most"]["heads"] == 2
    assert list(found["parts"])[:2] == ["all", "coat"]
    for words in ("Factors that heads write, over 2 images", "Labels of the 2 of 4 heads", "raw attention"):
        assert words in outcome.output
    assert (run / "analyses" / "head_truth.png").is_file()
    first = (run / "head_truth.json").read_bytes()
    assert command("heads", "truth", run, "--images-per-class=1").code == 0
    assert (run / "head_truth.json").read_bytes() == first


def test_labels_come_first(command: Callable[..., Any], run: Path) -> None:
    (run / "labels.json").unlink()
    outcome = command("heads", "truth", run)
    assert outcome.code == 2
    assert "run `mkbench heads" in outcome.error
    assert not (run / "head_truth.json").exists()


def test_options_and_weights_that_do_not_fit(command: Callable[..., Any], run: Path) -> None:
    outcome = command("heads", "truth", run, "--images-per-class=0")
    assert (outcome.code, outcome.output) == (2, "")
    assert "Expected --images-per-class of 1 or more, found 0." in outcome.error
    results = json.loads((run / "results.json").read_text())
    results["model"]["fingerprint"] = "another"
    (run / "results.json").write_text(json.dumps(results))
    outcome = command("heads", "truth", run)
    assert outcome.code == 1
    assert "with the weights that" in outcome.error


def test_images_that_nothing_is_known_of_are_refused(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tiny_model: Path
) -> None:
    photo_tree()
    words = [word for word in folder_words if not word.startswith(("--config", "--model", "--figures"))]
    words[1:1] = [f"--config={CONFIGS / 'critters' / 'heads.yaml'}", "--data=mkbench.datamodules.ImageFolder"]
    words += ["--data.root=photos", f"--model.backbone=local-dir:{tiny_model}"]
    run = command(*words).run
    (run / "labels.json").write_text(json.dumps({"heads": [{"layer": 0, "head": 0, "label": "fur"}]}))
    outcome = command("heads", "truth", run)
    assert outcome.code == 2
    assert "ground truth" in outcome.error
