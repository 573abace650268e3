from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from mkbench.backbones import Backbone, Geometry, PatchFeatures

GEOMETRY = Geometry(size=4, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0))


class MeanColour(Backbone):
    """The shortest thing a user may write: the joint space is the mean colour of 2 x 2 cells."""

    def __init__(self, geometry: Geometry = GEOMETRY) -> None:
        super().__init__(name="mean colour", geometry=geometry, grid=(2, 2), embed_dim=3, feature_dim=3)
        self.scale = torch.nn.Parameter(torch.ones(3))
        self.dropout = torch.nn.Dropout(0.5)
        self.eval()

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.patch_features(pixels).embedding

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return self.scale.detach().float() * torch.ones(len(texts), 3)

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        cells = torch.nn.functional.avg_pool2d(self.prepare_pixels(pixels), 2)
        features = (self.dropout(cells).flatten(2).transpose(1, 2) * self.scale).detach().float()
        return PatchFeatures(features, features.mean(1))


def test_a_subclass_of_twenty_lines_works() -> None:
    toy = MeanColour()
    features, embedding = toy.patch_features(torch.full((2, 3, 4, 4), 255, dtype=torch.uint8))
    # Full intensity is 1 in every channel: (1 - 0) / 1, (1 - 0.5) / 0.5, (1 - 1) / 2.
    torch.testing.assert_close(embedding, torch.tensor([[1.0, 1.0, 0.0]] * 2))
    assert features.shape == (2, 4, 3)
    assert (toy.image_size, toy.num_parameters, toy.dtype, toy.device.type) == (4, 3, torch.float32, "cpu")


def test_a_model_need_not_count_tokens() -> None:
    backbone = MeanColour()
    assert backbone.context_length is None
    assert backbone.count_tokens(["a text"]) is None


def test_abstract_methods_must_be_written() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Backbone(name="none", geometry=GEOMETRY, grid=(1, 1), embed_dim=1, feature_dim=1)  # type: ignore[abstract]


def test_bytes_are_normalised_and_floats_are_not() -> None:
    toy = MeanColour()
    pixels = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    pixels[:, 1] = 51  # (51 / 255 - 0.5) / 0.5 = -0.6
    expected = torch.tensor([0.0, -0.6, -0.5]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    torch.testing.assert_close(toy.prepare_pixels(pixels), expected)
    torch.testing.assert_close(toy.prepare_pixels(expected), expected)
    assert toy.to(torch.bfloat16).prepare_pixels(pixels).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 3, 4, 5), (1, 1, 4, 4), (1, 4, 4, 3)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Expected pixels \(B, 3, S, S\) with S=4 for mean colour, got "):
        MeanColour().prepare_pixels(torch.zeros(shape))


def test_pixels_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected uint8 pixels .* got torch.int64"):
        MeanColour().prepare_pixels(torch.zeros(1, 3, 4, 4, dtype=torch.int64))


def test_a_frozen_model_stays_in_evaluation_mode() -> None:
    toy = MeanColour().train()
    assert not toy.training
    assert not toy.dropout.training


def test_fingerprint_tells_weights_geometry_and_precision_apart() -> None:
    toy = MeanColour()
    first = toy.fingerprint
    assert first == MeanColour().fingerprint
    assert len(first) == 64
    reloaded = MeanColour()
    reloaded.load_state_dict(copy.deepcopy(toy.state_dict()))
    assert reloaded.fingerprint == first
    other = Geometry(size=4, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0), resize_mode="squash")
    assert MeanColour(other).fingerprint != first
    with torch.no_grad():
        toy.scale[1] = 2.0  # after the first fingerprint was kept
    edited = toy.fingerprint
    assert edited != first
    assert toy.to(torch.float16).fingerprint not in (first, edited)
    assert toy.to(torch.float32).fingerprint == edited  # 1 and 2 survive fp16


def test_fingerprint_sees_what_a_cast_lost() -> None:
    toy = MeanColour()
    with torch.no_grad():
        toy.scale.fill_(0.1)
    before = toy.fingerprint
    assert toy.to(torch.float16).to(torch.float32).fingerprint != before


def test_fingerprint_is_computed_once_until_a_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = MeanColour()
    first = toy.fingerprint
    monkeypatch.setattr("mkbench.backbones.base.hash_weights", lambda *_: "computed again")
    assert toy.fingerprint == first
    # A cast there and back may land at the same address, so the address alone must not be trusted.
    assert toy.to(torch.float32).fingerprint == "computed again"


def test_fingerprint_of_tensors_made_in_inference_mode() -> None:
    with torch.inference_mode():
        toy = MeanColour()
    assert toy.fingerprint == MeanColour().fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "positive image size, got 0"),
        ({"std": (1.0, 0.0, 1.0)}, "three positive deviations"),
        ({"mean": (0.0,)}, "three means"),
        ({"interpolation": "nearest"}, "got 'nearest'"),
        ({"resize_mode": "stretch"}, "got 'stretch'"),
    ],
)
def test_geometry_is_checked(change: dict[str, object], message: str) -> None:
    settings: dict[str, object] = {"size": 4, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), **change}
    with pytest.raises(ValueError, match=message):
        Geometry(**settings)  # type: ignore[arg-type]
