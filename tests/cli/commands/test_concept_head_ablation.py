from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.cli.main import main
from mkbench.concepts import class_embeddings
from mkbench.datamodules import Critters
from mkbench.heads import decompose, prune_heads


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, predict_words: list[str]) -> Path:
    """Runs of both systems of the tiny model: of heads with three images a class, of which the other has two."""
    folder = tmp_path_factory.mktemp("both")
    words = [*predict_words, "--model.explainers=null", "--model.scorers=null"]
    assert main([*words, f"--results.root={folder / 'mk'}"]) == 0
    words = [word for word in predict_words if not word.startswith(("--config", "--model.refine"))]
    words[1:1] = [f"--config={CONFIGS / 'critters' / 'heads.yaml'}"]
    assert main([*words, "--data.images_per_class=3", f"--results.root={folder / 'heads'}"]) == 0
    return folder


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The run of heads and that of mutual knowledge, where a test may change them."""
    shutil.copytree(finished, tmp_path / "both")
    return tmp_path / "both" / "heads" / "tiny", tmp_path / "both" / "mk" / "tiny"


def margins(embeddings: Tensor, texts: Tensor, classes: Tensor) -> Tensor:
    cosines = F.normalize(embeddings.double(), dim=1) @ texts.T
    rows = [
        float(row[own]) - max(float(value) for place, value in enumerate(row) if place != own)
        for row, own in zip(cosines, classes.tolist(), strict=True)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def test_losses_are_those_of_the_pruned_model_and_of_the_edited_embeddings(
    command: Callable[..., Any], runs: tuple[Path, Path], tiny_model: Path
) -> None:
    run, knowledge = runs
    outcome = command("heads", "ablate", run, f"--knowledge={knowledge}")
    assert outcome.code == 0
    found = json.loads((run / "concept_head_ablation.json").read_text(encoding="utf-8"))
    assert (found["images"], found["held_out"]) == (3, True)  # one more of each class
    for words in ("without its concept head, over 3 images", "images that the concept heads were not found on", "PCA"):
        assert words in " ".join(outcome.output.split())
    backbone = load_backbone(f"local-dir:{tiny_model}")
    data = Critters(images_per_class=3, limit_classes=3)
    dataset = data.dataset(backbone.geometry, data.specs)
    images = torch.stack([dataset[place].images[2] for place in range(3)])  # those that only the run of heads has
    texts = class_embeddings(backbone, data.class_names, data.templates).double()
    classes = torch.arange(3)
    terms = decompose(backbone, images)

    def loss(heads: Sequence[tuple[int, int]], effect: str) -> Tensor:
        if effect == "direct":
            return full - margins(
                terms.embedding - sum(terms.heads[:, layer, head] for layer, head in heads), texts, classes
            )
        with prune_heads(backbone, heads):
            return full - margins(backbone.encode_image(images), texts, classes)

    full = margins(backbone.encode_image(images), texts, classes)
    assert found["full"]["margin"] == pytest.approx(float(full.mean()), abs=1e-6)
    for one in found["effects"]:
        if one["measure"] == "margin":
            places = [data.class_names.index(each["class"]) for each in one["heads"]]
            own, rest, other = [], [], []
            for place, each in zip(places, one["heads"], strict=True):
                mine = loss([(each["layer"], each["head"])], one["effect"])
                own.append(mine[place])
                rest.append(mine[[elsewhere for elsewhere in places if elsewhere != place]].mean())
                other.append(loss([(each["layer"], 1 - each["head"])], one["effect"])[place])
            for name, values in {"own": own, "others": rest, "random": other}.items():
                expected = float(torch.stack(values).mean())
                assert one["scores"][name]["value"] == pytest.approx(expected, abs=1e-6)
    kinds = {(one["effect"], one["measure"]) for one in found["effects"]}
    assert kinds == {("total", "margin"), ("total", "top1"), ("direct", "margin"), ("direct", "top1")}
    first = (run / "concept_head_ablation.json").read_bytes()
    assert command("heads", "ablate", run, f"--knowledge={knowledge}").code == 0
    assert (run / "concept_head_ablation.json").read_bytes() == first


def test_without_other_images_all_count(command: Callable[..., Any], runs: tuple[Path, Path]) -> None:
    run, knowledge = runs
    results = json.loads((knowledge / "results.json").read_text())
    results["data"]["name"] = "elsewhere"  # whose images bear the same names
    (knowledge / "results.json").write_text(json.dumps(results))
    outcome = command("heads", "ablate", run, f"--knowledge={knowledge}")
    assert outcome.code == 0
    found = json.loads((run / "concept_head_ablation.json").read_text(encoding="utf-8"))
    assert (found["images"], found["held_out"]) == (9, False)
    assert "Over all images of the run of heads" in " ".join(outcome.output.split())


def test_runs_of_other_models_and_kinds_are_refused(command: Callable[..., Any], runs: tuple[Path, Path]) -> None:
    run, knowledge = runs
    outcome = command("heads", "ablate", run, f"--knowledge={run}")
    assert (outcome.code, outcome.output) == (2, "")
    assert "Expected runs of heads and of mutual knowledge of one model" in outcome.error
    results = json.loads((knowledge / "results.json").read_text())
    results["model"]["fingerprint"] = "another"
    (knowledge / "results.json").write_text(json.dumps(results))
    outcome = command("heads", "ablate", run, f"--knowledge={knowledge}")
    assert outcome.code == 2
    assert "other weights" in outcome.error
    assert not (run / "concept_head_ablation.json").exists()
