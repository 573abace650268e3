from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.cli.main import main
from mkbench.concepts import class_embeddings
from mkbench.datamodules import Critters
from mkbench.heads import matched_random_heads, prune_heads

#: How many texts fit, of each head of the tiny model.
SCORES = {(0, 0): 1, (0, 1): 3, (1, 0): 0, (1, 1): 5}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A run of the tiny model over six kinds of critters; the images of a kind take more than one batch."""
    folder = tmp_path_factory.mktemp("finished") / "runs"
    words = [
        "predict",
        f"--config={CONFIGS / 'critters' / 'heads.yaml'}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--model.encoder_chunk=3",
        "--data.images_per_class=4",
        "--data.limit_classes=6",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        f"--results.root={folder}",
    ]
    assert main(words) == 0
    write_labels(folder / "tiny", SCORES)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The run, where a test may change it and `command` looks for it."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs" / "tiny"


def write_labels(run: Path, scores: dict[tuple[int, int], int]) -> None:
    heads = [
        {"layer": layer, "head": head, "label": "fur", "fits": [True] * fits + [False] * (5 - fits)}
        for (layer, head), fits in scores.items()
    ]
    (run / "labels.json").write_text(json.dumps({"heads": heads}))


def document(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "head_pruning.json").read_text(encoding="utf-8"))
    return content


def test_accuracies_are_those_of_the_pruned_model(command: Callable[..., Any], run: Path, tiny_model: Path) -> None:
    outcome = command("heads", "prune", run)
    assert outcome.code == 0
    assert "24/24 images" in outcome.error
    assert "mkbench:" not in outcome.error
    found, results = document(run), outcome.results()
    top1 = next(metric for metric in results["metrics"] if metric["name"] == "top1")
    assert found["images"] == 24
    assert found["all_heads"] == {"value": top1["value"], "interval": top1["interval"]}
    assert found["settings"] == {"high": 5, "low": 1, "seeds": 5, "images_per_class": None}
    assert found["notes"] == []
    backbone = load_backbone(f"local-dir:{tiny_model}")
    data = Critters(images_per_class=4, limit_classes=6)
    dataset = data.dataset(backbone.geometry, data.specs)
    images = torch.cat([dataset[place].images for place in range(6)])
    texts = class_embeddings(backbone, data.class_names, data.templates).double()

    def accuracy(silent: list[tuple[int, int]]) -> float:
        with prune_heads(backbone, silent):
            predicted = (F.normalize(backbone.encode_image(images).double(), dim=1) @ texts.T).argmax(1)
        return float((predicted == torch.arange(6).repeat_interleave(4)).double().mean())

    for one, heads in zip(found["sets"], ([(1, 1)], [(0, 0), (1, 0)]), strict=True):
        assert one["heads"] == [list(head) for head in heads]
        assert one["random_heads"] == "others"
        randoms = [matched_random_heads(heads, num_heads=2, seed=seed, disjoint=True) for seed in range(5)]
        assert one["random_sets"] == [[list(head) for head in drawn] for drawn in randoms]
        accuracies = [accuracy(drawn) for drawn in randoms]
        scores = one["scores"]
        assert scores["without"]["value"] == pytest.approx(accuracy(heads))
        assert scores["random"]["value"] == pytest.approx(sum(accuracies) / 5)
        assert scores["change"]["value"] == pytest.approx(accuracy(heads) - top1["value"])
        assert scores["change_from_random"]["value"] == pytest.approx(accuracy(heads) - sum(accuracies) / 5)
    assert [one["name"] for one in found["sets"]] == ["high", "low"]


def test_a_set_without_heads_is_left_out(command: Callable[..., Any], run: Path) -> None:
    write_labels(run, {**SCORES, (1, 1): 4})
    outcome = command("heads", "prune", run, "--seeds=2")
    assert outcome.code == 0
    assert "No head has a CCS of 5; that set is left out." in outcome.output
    assert [one["name"] for one in document(run)["sets"]] == ["low"]
    write_labels(run, dict.fromkeys(SCORES, 3))
    (run / "head_pruning.json").unlink()
    outcome = command("heads", "prune", run)
    assert (outcome.code, outcome.output) == (2, "")
    assert "found those with a CCS of 3 (4) (in brackets, how many); change --high or --low." in outcome.error
    assert not (run / "head_pruning.json").exists()


def test_heads_by_hand_and_the_same_bytes(command: Callable[..., Any], run: Path) -> None:
    (run / "labels.json").unlink()  # nothing is read from it
    outcome = command("heads", "prune", run, "--heads", "1.1", "0.0", "--seeds=2", "--images-per-class=3")
    assert outcome.code == 0
    for words in ("of 18 images", "the chosen heads: 0.0, 1.1", "2 x", "the total effect"):
        assert words in outcome.output
    first = (run / "head_pruning.json").read_bytes()
    assert document(run)["settings"] == {"high": None, "low": None, "seeds": 2, "images_per_class": 3}
    assert command("heads", "prune", run, "--heads", "0.0", "1.1", "--seeds=2", "--images-per-class=3").code == 0
    assert (run / "head_pruning.json").read_bytes() == first
    outcome = command("heads", "prune", run, "--heads", "0.0", "0.1", "--seeds=1")
    assert document(run)["sets"][0]["random_heads"] == "any"  # their layer has no others
    assert "as many heads (these among them) of the same layers" in " ".join(outcome.output.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--heads=5.0"], "of the layers 0, 1 and the heads 0 to 1, found 5.0"),
        (["--heads=x"], "LAYER.HEAD, both numbers from 0, such as 3.2, found 'x'"),
        (["--heads=0.0", "--high=3"], "Expected either --heads or --high and --low, found both"),
        (["--high=0"], "Expected --low below --high"),
        (["--seeds=0"], "Expected --seeds of 1 or more, found 0."),
        (["--images-per-class=0"], "Expected --images-per-class of 1 or more, found 0."),
    ],
)
def test_options_that_do_not_fit_are_refused(
    command: Callable[..., Any], run: Path, options: list[str], message: str
) -> None:
    outcome = command("heads", "prune", run, *options)
    assert (outcome.code, outcome.output) == (2, "")
    assert message in outcome.error
    assert not (run / "head_pruning.json").exists()


def test_labels_come_first(command: Callable[..., Any], run: Path) -> None:
    (run / "labels.json").unlink()
    outcome = command("heads", "prune", run)
    assert outcome.code == 2
    assert "run `mkbench heads" in outcome.error


def test_other_weights_are_refused(command: Callable[..., Any], run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    results["model"]["fingerprint"] = "another"
    (run / "results.json").write_text(json.dumps(results))
    outcome = command("heads", "prune", run)
    assert outcome.code == 1
    assert "with the weights that" in outcome.error
