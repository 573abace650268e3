from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import growth, pipeline
from benchmarks.gpu import growth_rows, main, pipeline_rows, single_rows
from mkbench.backbones import Backbone, load_backbone

SIZES = {"CLASSES": 10, "BANK": 60, "LANGUAGE_CONCEPTS": 5}


@pytest.fixture(scope="module")
def backbone(tiny_model: Path) -> Backbone:
    return load_backbone(f"local-dir:{tiny_model}")


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.startswith("Expected a GPU that PyTorch can use, found none;")


def test_pipeline_beside_its_floor(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in SIZES.items():
        monkeypatch.setattr(pipeline, name, size)
    (row,) = pipeline_rows(backbone, [4], 1, 1)
    assert row["batch"] == 4
    assert row["outside_ms"] == pytest.approx(float(str(row["total_ms"])) - float(str(row["forward_ms"])), abs=0.01)


def test_texts_crf_and_growth(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in SIZES.items():
        monkeypatch.setattr(growth, name, size)
    texts, crf = single_rows(backbone, 20, 1, 1)
    assert (texts["what"], crf["what"]) == ("20 texts, s", "CRF, ms an image")
    images, bank = growth_rows(backbone, 1, 1)
    assert (images["size"], images["to"]) == (1, 10)
    assert bank["encoded"] == bank["encoded_to"]
