from __future__ import annotations

import json

import pytest

from benchmarks import gpu_hours
from benchmarks.gpu_hours import GPUS, estimate, forward_operations, hours, main
from mkbench.backbones.known_models import find_model


def test_operations_of_a_vision_transformer_by_hand() -> None:
    # ViT-S-32-alt: 49 patches + 1 token, width 384, 12 layers, MLP 4 times as wide, embedding of width 256.
    tokens, width = 50, 384
    block = 2 * tokens * width * (3 * width + width + 8 * width) + 2 * 2 * tokens * tokens * width
    expected = 2 * 49 * 3 * 32 * 32 * width + 12 * block + 2 * width * 256
    assert forward_operations("ViT-S-32-alt") == expected


def test_hours_by_hand() -> None:
    # 50,000 images x 31 passes x 1e12 operations = 1.55e18, at half of 100e12 a second.
    assert hours(1e12, 100, 0.5) == pytest.approx(31_000 / 3600)


def test_all_is_the_sum(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu_hours, "forward_operations", {"small": 2e9, "large": 31e9}.__getitem__)
    small, large, total = estimate([("a", "small"), ("b", "large")])
    assert [row["gflops"] for row in (small, large, total)] == [2, 31, 33]
    # 1.55e6 passes x 33e9 operations, at 0.6 x 19.5e12 and 0.4 x 312e12 a second.
    assert total["A100"] == "1.21 / 0.11"
    assert {gpu.name for gpu in GPUS} <= set(total)

    monkeypatch.setattr(gpu_hours, "model_set", lambda name: [find_model("vit-b-16-openai")])
    monkeypatch.setattr(gpu_hours, "forward_operations", {"ViT-B-16-quickgelu": 35.1e9}.__getitem__)
    assert main(["--json"]) == 0
    assert [row["model"] for row in json.loads(capsys.readouterr().out)] == ["ViT-B/16", "all 1"]
