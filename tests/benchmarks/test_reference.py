from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.reference import main, make_bank


def test_banks_hold_different_texts() -> None:
    assert len(set(make_bank(4229))) == 4229


@pytest.mark.parametrize(("model", "images"), [("tiny", 3), ("critters-vit-s", 4), ("critters-vit-l", 8)])
def test_plain_steps_and_pipeline_say_the_same(
    tiny_model: Path, model: str, images: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"local-dir:{tiny_model}" if model == "tiny" else model
    words = [f"--model={name}", f"--images={images}", "--bank=100", "--pool=50", "--json"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["images"], printed["bank"]) == (images, 100)
    assert printed["same_concepts"] == 1
    assert printed["largest_difference"] < 1e-9
    assert printed["plain_ms"] > 0
    stages = {"features", "saliency", "partition", "render", "encode", "texts", "transport", "measure"}
    assert set(printed["plain_stages_ms"]) == stages
