from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.concepts import GradCam
from mkbench.errors import BackboneError, UsageError

pytest.importorskip("captum")


class SumOfCells(Backbone):
    """A linear model: the map is the image itself, 2 x 2 cells of three channels; the embedding sums its cells."""

    def __init__(self) -> None:
        geometry = Geometry(size=2, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))
        super().__init__(name="sum", geometry=geometry, grid=(2, 2), embed_dim=3, feature_dim=3)

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.embed_through_map(pixels, lambda spatial: spatial)

    def encode_text(self, texts: object) -> Tensor:
        raise NotImplementedError

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        raise NotImplementedError

    def embed_through_map(self, pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        return change(self.prepare_pixels(pixels)).sum(dim=(2, 3))


def test_a_linear_model_by_hand() -> None:
    # Red 3 in the first cell, green 4 in the second: e = (3, 4, 0), |e| = 5, e / |e| = (0.6, 0.8, 0). With the class
    # c = (1, 0, 0) the score is s = 0.6 and ds/de = (c - s e / |e|) / |e| = (0.64, -0.48, 0) / 5 = (0.128, -0.096, 0),
    # which is ds/dA in every cell and so its mean. Saliency: 0.128 * 3, -0.096 * 4, and nothing in empty cells.
    image = torch.zeros(3, 2, 2, dtype=torch.uint8)
    image[0, 0, 0], image[1, 0, 1] = 3, 4
    # The same image for the class c = (0, 1, 0): s = 0.8, ds/de = ((0, 1, 0) - 0.8 (0.6, 0.8, 0)) / 5.
    images, classes = torch.stack([image, image]), torch.eye(3)[:2]
    maps = GradCam().saliency_maps(SumOfCells(), images, classes)
    expected = torch.tensor([[[0.384, -0.384], [0.0, 0.0]], [[-0.096 * 3, 0.072 * 4], [0.0, 0.0]]])
    torch.testing.assert_close(maps, expected)


def by_hand(backbone: Backbone, image: Tensor, class_embedding: Tensor) -> Tensor:
    """Grad-CAM of one image on what enters the last attention, by one backward pass through the whole tower."""
    kept = {}
    block = backbone.model.visual.transformer.resblocks[-1]
    handle = block.ln_1.register_forward_hook(lambda _, __, output: kept.update(tokens=output))
    pixels = backbone.prepare_pixels(image[None]).requires_grad_()
    embedding = backbone.model.encode_image(pixels)[0]
    handle.remove()
    score = embedding @ class_embedding / embedding.norm()
    (slope,) = torch.autograd.grad(score, kept["tokens"])
    tokens, slope = kept["tokens"][0, 1:].detach(), slope[0, 1:]  # (16, C)
    rows = [[(slope.mean(dim=0) * tokens[4 * row + column]).sum() for column in range(4)] for row in range(4)]
    return torch.tensor(rows)


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_vision_transformer_image_by_image(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = GradCam().saliency_maps(backbone, *group)
    expected = torch.stack([by_hand(backbone, *pair) for pair in zip(*group, strict=True)])
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-7)
    assert not maps.requires_grad
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_inference_mode_changes_nothing(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    expected = GradCam().saliency_maps(backbone, *group)
    with torch.inference_mode():
        images, classes = (tensor.clone() for tensor in group)  # as a run makes them: inference tensors
        maps = GradCam().saliency_maps(backbone, images, classes)
    torch.testing.assert_close(maps, expected)  # kernels may differ with the mode


def test_models_without_a_map_are_refused() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="model that offers its last map, found colours; choose a model"):
        GradCam().saliency_maps(ColourBackbone(), images, torch.ones(1, 8))


def test_half_precision_is_refused(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}").to(torch.bfloat16)
    with pytest.raises(UsageError, match="found bfloat16"):
        GradCam().saliency_maps(backbone, *group)


def test_a_missing_library_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(UsageError, match=r"library `captum` for Grad-CAM, found none; .* 'mkbench\[saliency\]'"):
        GradCam()
