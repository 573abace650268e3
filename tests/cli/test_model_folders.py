from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_data import CONFIGS

from mkbench.cli.model_folders import model_folder, refuse_collisions
from mkbench.errors import UsageError


def test_folder_is_known_before_loading() -> None:
    assert model_folder({"backbone": "ViT-B-16-quickgelu", "pretrained": "openai"}) == "vit-b-16-openai"
    assert model_folder({"backbone": "local-dir:a/vit", "random_weights": True}) == "vit_random-weights"
    assert model_folder({"backbone": {"class_path": "own.Model"}}) is None
    assert model_folder({"backbone": "no-such-model"}) is None


def test_same_folder_is_refused_within_a_variant_alone() -> None:
    first, second = {"backbone": "local-dir:1/vit"}, {"backbone": "local-dir:2/vit"}
    refuse_collisions([("a", first), ("b", second)])
    refuse_collisions([("a", first), ("a", second | {"name": "epoch 2"})])
    with pytest.raises(UsageError, match=r"both write to vit; give one a name: \{name: NAME, backbone: local"):
        refuse_collisions([("a", first), ("a", second)])


def test_bench_finds_it_before_the_first_model_runs(
    command: Callable[..., Any], tiny_model: Path, other_weights: Path, tmp_path: Path
) -> None:
    models = [f"local-dir:{tiny_model}", f"local-dir:{other_weights}"]
    protocol = str(CONFIGS / "critters" / "mutual_knowledge.yaml")
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump({"protocol": protocol, "models": models}))
    outcome = command("bench", "--config=bench.yaml", "--out=runs")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert not (tmp_path / "runs").exists()
