from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mkbench import load_backbone
from mkbench.backbones.towers.class_token_similarity import class_token_similarity
from mkbench.datamodules import Critters


def test_curves_of_a_run_are_means_over_its_images(
    command: Callable[..., Any], predict_words: list[str], tiny_model: Any
) -> None:
    run = command(*predict_words, "--model.explainers=[{class_path: mkbench.concepts.PartsExplainer}]").run
    outcome = command("class-token", "runs/tiny")
    assert outcome.code == 0
    files = sorted(path.name for path in (run / "analyses").iterdir())
    assert files == ["class_token.json", "class_token.pdf", "class_token.png"]
    document = json.loads((run / "analyses" / "class_token.json").read_text(encoding="utf-8"))
    backbone = load_backbone(f"local-dir:{tiny_model}")
    data = Critters(images_per_class=2, limit_classes=3, num_workers=0)
    dataset = data.dataset(backbone.geometry, data.specs)
    images = torch.cat([dataset[index].images for index in range(3)])
    for kind, values in class_token_similarity(backbone, images)._asdict().items():
        curve = document["curves"][kind]
        assert [one["value"] for one in curve] == pytest.approx(values.mean(dim=0).tolist(), abs=1e-6)
        assert all(low <= one["value"] <= high for one in curve for low, high in [one["interval"]])
    assert (document["images"], document["data"]) == (6, "critters-test")
    assert f"{document['curves']['tokens'][-1]['value']:.3f}" in outcome.output
