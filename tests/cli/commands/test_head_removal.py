from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.cli.main import main
from mkbench.concepts import class_embeddings
from mkbench.datamodules import Critters
from mkbench.heads import matched_random_heads
from mkbench.studies.head_removal.probe import fit_probe

LABELS = {(0, 0): "tail", (0, 1): "sky", (1, 0): "sea", (1, 1): "wing"}
GROUPS = ["land on land", "land on water", "water on land", "water on water"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Runs of the tiny model over six kinds of critters, with backgrounds that are even, tied, or not known."""
    folder = tmp_path_factory.mktemp("finished")
    for split, name in (("background", "runs"), ("background-train", "tied"), ("test", "other")):
        words = [
            "predict",
            f"--config={CONFIGS / 'critters' / 'background.yaml'}",
            f"--model.backbone=local-dir:{tiny_model}",
            f"--data.split={split}",
            "--data.images_per_class=4",
            "--data.limit_classes=6",
            "--data.num_workers=0",
            "--trainer.accelerator=cpu",
            "--progress.enabled=false",
            f"--results.root={folder / name}",
        ]
        assert main(words) == 0
    heads = [
        {"layer": layer, "head": head, "label": label, "fits": [label == "sea"] * 4 + [True]}
        for (layer, head), label in LABELS.items()
    ]
    (folder / "runs" / "tiny" / "labels.json").write_text(json.dumps({"heads": heads}))
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The runs, where a test may change them and `command` looks for them."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs" / "tiny"


def document(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "head_removal.json").read_text(encoding="utf-8"))
    return content


def stored(run: Path) -> dict[str, torch.Tensor]:
    parts = [load_file(path) for path in sorted(run.glob("contributions/*"))]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_scores_are_those_of_edited_embeddings(
    command: Callable[..., Any], run: Path, tiny_model: Path, ablation: str
) -> None:
    outcome = command("heads", "remove", run, "--label=background", "--probe=tied/tiny", f"--ablation={ablation}")
    assert (outcome.code, outcome.error) == (0, "")
    found = document(run)
    assert found["settings"]["heads"] == [[0, 1], [1, 0]]  # sky and sea
    assert found["settings"]["probe"] == {"data": "critters-background-train", "images": 24}
    assert found["groups"] == [{"name": name, "images": 6} for name in GROUPS]
    # Images of a kind show its habitat and the other one in turn; kinds are of the land and of the water in turn.
    classes = torch.arange(6).repeat_interleave(4)
    groups = torch.tensor([0, 1, 0, 1, 3, 2, 3, 2]).repeat(3)
    terms, backbone, data = stored(run), load_backbone(f"local-dir:{tiny_model}"), Critters()
    texts = class_embeddings(backbone, data.class_names, data.templates).double()
    tied = stored(run.parents[1] / "tied" / "tiny")["embedding"]
    probe = fit_probe(tied, classes)
    randoms = [matched_random_heads([(0, 1), (1, 0)], num_heads=2, seed=seed, disjoint=True) for seed in range(5)]
    classifiers: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "zero-shot": lambda rows: (F.normalize(rows, dim=1) @ texts.T).argmax(1),
        "linear probe": probe.classify,
    }
    assert [classifier["name"] for classifier in found["classifiers"]] == list(classifiers)
    for entry, classify in zip(found["classifiers"], classifiers.values(), strict=True):
        for one, sets in zip(entry["sets"], ([[]], [[(0, 1), (1, 0)]], randoms), strict=True):
            assert one["heads"] == [[list(head) for head in heads] for heads in sets]
            accuracies, worst = [], []
            for heads in sets:
                edited = terms["embedding"].double()
                for layer, head in heads:
                    own = terms["heads"][:, layer, head].double()
                    edited = edited - (own - own.mean(0) if ablation == "mean" else own)
                right = (classify(edited) == classes).double()
                accuracies.append(right.mean())
                worst.append(min(right[groups == group].mean() for group in range(4)))
            assert one["scores"]["accuracy"]["value"] == pytest.approx(float(torch.stack(accuracies).mean()))
            assert one["scores"]["worst_group"]["value"] == pytest.approx(float(torch.stack(worst).mean()))
        assert [(head["layer"], head["head"]) for head in entry["scan"]] == sorted(LABELS)
    top1 = next(metric["value"] for metric in outcome.results()["metrics"] if metric["name"] == "top1")
    assert found["classifiers"][0]["sets"][0]["scores"]["accuracy"]["value"] == top1


def test_the_table_and_what_is_written(command: Callable[..., Any], run: Path) -> None:
    outcome = command("heads", "remove", run, "--heads", "1.1", "0.0", "--seeds=2")
    assert (outcome.code, outcome.error) == (0, "")
    for words in ("Without the heads: 0.0, 1.1 (zero-ablation)", "zero-shot", "worst group", "2 x random"):
        assert words in outcome.output
    assert "linear probe" not in outcome.output
    first = (run / "head_removal.json").read_bytes()
    assert document(run)["settings"]["label"] is None
    assert command("heads", "remove", run, "--heads", "0.0", "1.1", "--seeds=2").code == 0
    assert (run / "head_removal.json").read_bytes() == first
    assert command("heads", "remove", run, "--label=Ground").code == 0
    assert document(run)["settings"]["heads"] == [[1, 0]]
    assert command("heads", "remove", run, "--label=background", "--fits=5").code == 0
    assert document(run)["settings"]["heads"] == [[1, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--label=ear"],
            "Expected --label to be one that a head has, found 'ear'; the labels are sea, sky, tail, wing",
        ),
        (["--heads=5.0"], "of the layers 0, 1 and the heads 0 to 1, found 5.0"),
        (["--heads", "0.1", "0.1"], "Expected every head once in --heads, found one of them twice"),
        (["--heads=x"], "LAYER.HEAD, both numbers from 0, such as 3.2, found 'x'"),
        (["--label=sky", "--fits=2"], "found 'sky'; the labels are sea. Give one of these, a smaller --fits, or heads"),
        (["--label=sea", "--fits=6"], "Expected --fits of 0 to 5, beside --label alone, found 6."),
        (["--heads=0.0", "--fits=1"], "Expected --fits of 0 to 5, beside --label alone, found 1."),
        (["--label=sea", "--seeds=0"], "Expected --seeds of 1 or more, found 0."),
        (["--label=sea", "--probe=runs/tiny"], "Expected --probe to be a run of other images, found runs/tiny"),
        (
            ["--label=sea", "--probe=nowhere"],
            "Expected the folder of a finished run with results.json, found none at nowhere",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    command: Callable[..., Any], run: Path, options: list[str], message: str
) -> None:
    outcome = command("heads", "remove", run, *options)
    assert (outcome.code, outcome.output) == (2, "")
    assert message in outcome.error
    assert not (run / "head_removal.json").exists()


@pytest.mark.parametrize("options", [[], ["--label=sea", "--heads=0.0"]])
def test_heads_are_named_one_way(command: Callable[..., Any], run: Path, options: list[str]) -> None:
    outcome = command("heads", "remove", run, *options)
    assert outcome.code == 2
    assert "--heads" in outcome.error


def test_data_without_known_backgrounds_is_refused(command: Callable[..., Any], run: Path) -> None:
    outcome = command("heads", "remove", run.parents[1] / "other" / "tiny", "--heads=0.0")
    assert outcome.code == 2
    assert "found 24 of critters-test without (such as 'test/blorp/0000')" in outcome.error


def test_labels_come_first(command: Callable[..., Any], run: Path) -> None:
    (run / "labels.json").unlink()
    outcome = command("heads", "remove", run, "--label=sea")
    assert outcome.code == 2
    assert "run `mkbench heads" in outcome.error


def test_probe_of_another_model_or_fewer_classes_is_refused(command: Callable[..., Any], run: Path) -> None:
    tied = run.parents[1] / "tied" / "tiny"
    results = json.loads((tied / "results.json").read_text())
    changed = results | {"model": results["model"] | {"fingerprint": "another"}}
    (tied / "results.json").write_text(json.dumps(changed))
    outcome = command("heads", "remove", run, "--label=sea", "--probe=tied/tiny")
    assert "Expected --probe to be a run of the same model" in outcome.error
    (tied / "results.json").write_text(json.dumps(results | {"class_names": results["class_names"][::-1]}))
    outcome = command("heads", "remove", run, "--label=sea", "--probe=tied/tiny")
    assert "Expected --probe to be a run of the same classes" in outcome.error


def test_other_weights_are_refused(command: Callable[..., Any], run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    results["model"]["fingerprint"] = "another"
    (run / "results.json").write_text(json.dumps(results))
    outcome = command("heads", "remove", run, "--label=sea")
    assert outcome.code == 1
    assert "with the weights that" in outcome.error
