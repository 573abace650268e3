from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import crf


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two files of which one lies deeper; anything else is no photograph."""
    generator = np.random.default_rng(0)
    (tmp_path / "birds").mkdir()
    for name in ("birds/owl.PNG", "bat.jpg"):
        Image.fromarray(generator.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def test_both_masks_are_held_against_the_exact_kernel(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crf, "compare", partial(crf.compare, size=42))
    assert crf.main([str(photographs), "--json"]) == 0
    unrefined, refined = json.loads(capsys.readouterr().out)
    assert unrefined["mean"] < refined["mean"] <= 1
    assert (refined["images"], refined["ms an image"] > 0) == (2, True)
    assert crf.main([str(photographs), "--count", "1"]) == 0
    assert "unrefined" in capsys.readouterr().out


def test_exact_mask_counts_as_one(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exactly(images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        return crf.exact_mean_field(images[0], masks[0])[None] > 0

    monkeypatch.setattr(crf, "refine_crf", exactly)
    _, refined = crf.compare([photographs / "bat.jpg"], size=42)
    assert (refined["mean"], refined["minimum"], refined["below 0.985"]) == (1, 1, 0)


def test_folder_without_photographs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        crf.main([str(tmp_path)])
    assert stopped.value.code == 2
    assert "found none" in capsys.readouterr().err
