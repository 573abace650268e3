from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mkbench import load_backbone
from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.cli.doctor.model import check_model, embedding_fault

from .conftest import said, states


class Linear(Backbone):
    """Embeds images by their mean colour and texts by their length, all times `factor`."""

    def __init__(self, factor: float = 1.0, *, width: int = 3) -> None:
        geometry = Geometry(size=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), resize_mode="longest")
        super().__init__(name="linear", geometry=geometry, grid=(2, 2), embed_dim=width, feature_dim=3)
        self.factor = factor

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.prepare_pixels(pixels).mean(dim=(2, 3)) * self.factor

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([[len(text), 1.0, 2.0] for text in texts]) * self.factor

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        raise NotImplementedError


def test_a_good_model_has_no_problem(tiny_model: Path) -> None:
    remarks = list(check_model(load_backbone(f"local-dir:{tiny_model}"), resize="squash"))
    assert set(states(remarks)) == {"ok"}
    sentences = said(remarks, "ok")
    assert "weights of your own with 0." in sentences
    assert "results call the model tiny" in sentences
    assert "32 x 32 pixels, squashed to a square as published; mean 0.500 0.500 0.500, deviation 0.250" in sentences
    assert "4 x 4 patches of width 32" in sentences
    assert "up to 16 tokens" in sentences


def test_random_weights_are_no_measurement(tiny_model: Path) -> None:
    remarks = list(check_model(load_backbone(f"local-dir:{tiny_model}", random_weights=True), resize="model"))
    assert "no number of this run is a measurement" in said(remarks, "warning")
    assert "the weights' own resizing (squash, bilinear)" in said(remarks, "ok")


def test_a_model_that_counts_no_tokens_is_a_warning() -> None:
    remarks = list(check_model(Linear(), resize=None))
    assert "does not say how long its texts may be" in said(remarks, "warning")
    assert "the weights' own resizing (longest, bicubic)" in said(remarks, "ok")


@pytest.mark.parametrize(
    ("backbone", "fault"),
    [
        (Linear(float("nan")), "that are not finite"),
        (Linear(0.0), "of length 0"),
        (Linear(width=5), "of shape (2, 3) instead of (2, 5)"),
    ],
)
def test_degenerate_embeddings(backbone: Backbone, fault: str) -> None:
    sentences = said(check_model(backbone, resize=None), "problem")
    assert f"two different texts have embeddings {fault}" in sentences
    assert f"two different images have embeddings {fault}" in sentences


def test_embeddings_that_do_not_tell_things_apart() -> None:
    one = torch.tensor([1.0, 2.0, 3.0])
    assert embedding_fault(torch.stack([one, 5 * one]), 3) == "that are the same"  # the length says nothing
    assert embedding_fault(torch.stack([one, one + torch.tensor([0.0, 0.0, 0.1])]), 3) is None
