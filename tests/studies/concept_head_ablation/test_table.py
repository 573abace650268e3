from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from rich.console import Console

from mkbench.heads.concept_head_losses import compare_losses
from mkbench.studies.concept_head_ablation.table import show_ablation


def example(*, held_out: bool) -> dict[str, Any]:
    """Two classes, each of which needs the head of its own, and a third that needs none."""
    losses = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]], dtype=torch.float64)
    heads = [{"class": "ant", "layer": 3, "head": 0}, {"class": "bee", "layer": 3, "head": 1}]
    effect = {
        "explainer": "pca",
        "effect": "total",
        "measure": "margin",
        "heads": [*heads, {"class": "cat", "layer": 3, "head": 1}],
        "scores": compare_losses(losses, [0, 1, 1], num_heads=2),
    }
    full = {"margin": 0.125, "top1": 0.75}
    return {"images": 6, "held_out": held_out, "full": full, "effects": [effect], "notes": ["A note."]}


@pytest.mark.parametrize(("held_out", "words"), [(True, "were not found on"), (False, "all images of the run")])
def test_losses_and_which_heads(held_out: bool, words: str) -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(show_ablation(example(held_out=held_out), width=160))
    text = " ".join(out.getvalue().split())
    assert "over 6 images; with all heads margin x 100 12.5, top-1 75.0 %" in text
    assert "PCA total margin x 100 +25.00" in text
    assert "PCA: 3.0 (1), 3.1 (2)." in text
    assert words in text
    assert "A note." in text
