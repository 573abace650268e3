from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from tower_kinds import STREAMS, random_images

from mkbench.backbones import Backbone, OpenClipBackbone, load_backbone
from mkbench.backbones.building import seeded
from mkbench.backbones.openclip import check_activation, model_geometry
from mkbench.backbones.towers.patch_readers import TowerReader
from mkbench.errors import BackboneError

SHAPES = {  # architecture -> grid, feature width, joint width, capabilities
    "ViT-B-32": ((7, 7), 768, 512, {"class_token", "heads", "keys"}),
    "RN50": ((7, 7), 2048, 1024, set()),
    "convnext_base": ((7, 7), 1024, 512, set()),
}


@pytest.fixture(scope="module", params=list(SHAPES))
def real(request: pytest.FixtureRequest) -> Backbone:
    return load_backbone(request.param, random_weights=True)


def bytes_like(backbone: Backbone, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    side = backbone.image_size
    return torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8, generator=generator)


def test_real_architectures(real: Backbone) -> None:
    grid, feature_dim, embed_dim, capabilities = SHAPES[real.name.split()[0]]
    assert (real.grid, real.feature_dim, real.embed_dim) == (grid, feature_dim, embed_dim)
    assert real.capabilities == capabilities
    assert real.patch_size == 32
    assert real.random_weights
    assert not real.training
    assert real.dtype == torch.float32
    assert not any(parameter.requires_grad for parameter in real.parameters())


def test_patch_keeps_its_size_where_many_pixels_are_left_over() -> None:
    model = open_clip.create_model("ViT-S-32-alt", force_image_size=240, pretrained_text=False)
    backbone = OpenClipBackbone(model, open_clip.get_tokenizer("ViT-S-32-alt"), name="small", embed_dim=256)
    assert (backbone.grid, backbone.patch_size) == ((7, 7), 32)  # 240 // 7 would be 34


def test_real_architectures_read_the_last_map_in_one_forward(real: Backbone) -> None:
    assert isinstance(real, OpenClipBackbone)
    pixels = bytes_like(real)
    config = real.model.visual.preprocess_cfg
    # open_clip's own transform of an image that has the right size already: scaling and normalisation only.
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    normalised = (pixels / 255 - mean) / std
    forwards = []
    handle = real.model.visual.register_forward_hook(lambda *_: forwards.append(1))
    features, embedding = real.patch_features(pixels)
    handle.remove()
    assert len(forwards) == 1
    with torch.no_grad():
        reference = real.model.visual.forward_intermediates(normalised, indices=1)["image_intermediates"][-1]
        expected = real.model.encode_image(normalised, normalize=False)
    torch.testing.assert_close(features, reference.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedding, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(real.encode_image(normalised), expected, rtol=1e-4, atol=1e-5)


def test_real_architectures_encode_text(real: Backbone) -> None:
    assert isinstance(real, OpenClipBackbone)
    texts = ["a photo of a cat", "two words"]
    with torch.no_grad():
        expected = real.model.encode_text(open_clip.tokenize(texts), normalize=False)
    torch.testing.assert_close(real.encode_text(texts), expected)
    assert real.truncated_texts == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "size", "grid", "feature_dim", "embed_dim"),
    [("ViT-L-14-336", 336, (24, 24), 1024, 768), ("RN50x16", 384, (12, 12), 3072, 768)],
)
def test_large_architectures(
    architecture: str, size: int, grid: tuple[int, int], feature_dim: int, embed_dim: int
) -> None:
    backbone = load_backbone(architecture, random_weights=True)
    features, embedding = backbone.patch_features(bytes_like(backbone))
    assert (backbone.image_size, backbone.grid) == (size, grid)
    assert features.shape == (1, grid[0] * grid[1], feature_dim)
    assert embedding.shape == (1, embed_dim)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_keys_are_the_key_projection_of_the_last_block(tiny: Callable[..., OpenClipBackbone], qk_norm: bool) -> None:
    backbone = tiny({"qk_norm": qk_norm})
    visual = backbone.model.visual
    block = visual.transformer.resblocks[-1]
    with torch.no_grad():
        block.attn.in_proj_bias.normal_(
            generator=torch.Generator().manual_seed(1)
        )  # zero at first: hides a wrong third
        block.ln_1.weight.normal_(generator=torch.Generator().manual_seed(2))
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        tokens = visual.forward_intermediates(pixels, indices=2, output_fmt="NLC")["image_intermediates"][0]
    x = tokens.double().numpy()  # what enters the last block, without the class token
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + block.ln_1.eps)
    x = x * block.ln_1.weight.double().numpy() + block.ln_1.bias.double().numpy()
    weight, bias = block.attn.in_proj_weight.double().numpy(), block.attn.in_proj_bias.double().numpy()
    expected = x @ weight[32:64].T + bias[32:64]  # rows: 32 of queries, 32 of keys, 32 of values
    keys = backbone.patch_features(pixels, "keys").features
    np.testing.assert_allclose(keys.numpy(), expected, rtol=1e-4, atol=1e-5)
    both = backbone.patch_features(pixels, "both").features
    torch.testing.assert_close(both[..., 32:], keys)  # other outputs may be computed by other kernels
    torch.testing.assert_close(both[..., :32], backbone.patch_features(pixels).features)


def test_unknown_kinds_are_refused(tiny: Callable[..., OpenClipBackbone]) -> None:
    with pytest.raises(ValueError, match=r"kind of \('tokens', 'keys', 'both'\), got 'values'"):
        tiny().patch_features(torch.zeros(1, 3, 32, 32), "values")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("vision", [{}, {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64}])
def test_half_precision_returns_single_precision(
    tiny: Callable[..., OpenClipBackbone], dtype: torch.dtype, vision: dict[str, Any]
) -> None:
    backbone = tiny(vision)
    pixels = bytes_like(backbone)
    kind = "both" if "keys" in backbone.capabilities else "tokens"
    expected, text = backbone.patch_features(pixels, kind), backbone.encode_text(["cat"])
    full = backbone.fingerprint
    backbone.to(dtype)
    features, embedding = backbone.patch_features(pixels, kind)
    assert features.dtype == embedding.dtype == backbone.encode_image(pixels).dtype == torch.float32
    assert backbone.encode_text(["cat"]).dtype == torch.float32
    tolerance = 0.02 if dtype == torch.float16 else 0.1
    torch.testing.assert_close(features, expected.features, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(embedding, expected.embedding, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(backbone.encode_text(["cat"]), text, rtol=tolerance, atol=tolerance)
    assert backbone.fingerprint != full


def test_texts_beyond_the_context_are_counted(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()
    # Context 8: start, six words, end. "cat" and "dog" are one token each.
    fits, long = " ".join(["cat"] * 6), " ".join(["dog"] * 7)
    embedding = backbone.encode_text([fits, long, "cat", long])
    assert embedding.shape == (4, 16)
    assert backbone.truncated_texts == 2
    backbone.encode_text([long])
    assert backbone.truncated_texts == 3


def test_tokens_are_counted_without_encoding(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()
    assert backbone.context_length == 8
    assert backbone.count_tokens(["cat", " ".join(["cat"] * 6), " ".join(["dog"] * 7)]) == [3, 8, 9]
    assert backbone.count_tokens([]) == []
    assert backbone.truncated_texts == 0


def test_texts_of_other_tokenizers_are_counted(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()

    class Words:
        """The shape of open_clip's tokenizers from Hugging Face; one token a word, no special ones."""

        clean_fn = staticmethod(str.lower)

        def __call__(self, texts: list[str]) -> torch.Tensor:
            return torch.ones(len(texts), 8, dtype=torch.long)

        def tokenizer(self, texts: list[str], truncation: bool) -> dict[str, list[list[int]]]:
            return {"input_ids": [[1] * len(text.split()) for text in texts]}

    backbone.tokenizer = Words()
    backbone.encode_text(["a b c d e f g h", "a b c d e f g h i"])
    assert backbone.truncated_texts == 1
    assert (backbone.context_length, backbone.count_tokens(["A b c"])) == (8, [3])


def test_no_texts_and_a_bare_text(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()
    assert backbone.encode_text([]).shape == (0, 16)
    with pytest.raises(ValueError, match="Expected a list of texts, got the text 'cat'"):
        backbone.encode_text("cat")


def test_outputs_carry_no_gradient(tiny: Callable[..., OpenClipBackbone]) -> None:
    backbone = tiny()
    pixels = torch.zeros(1, 3, 32, 32, requires_grad=True)
    features, embedding = backbone.patch_features(pixels)
    assert not any(x.requires_grad for x in (features, embedding, backbone.encode_text(["cat"])))


def test_geometry_comes_from_the_weights(tiny: Callable[..., OpenClipBackbone]) -> None:
    geometry = tiny().geometry
    assert (geometry.mean, geometry.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (geometry.size, geometry.interpolation, geometry.resize_mode) == (32, "bilinear", "squash")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (32, 64)}, "square images, got 32 x 64"),
        ({"interpolation": "random"}, "cannot be followed: .*random"),
    ],
)
def test_geometry_that_cannot_be_followed(change: dict[str, Any], message: str) -> None:
    config = {"size": 32, "mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bicubic", "resize_mode": "shortest"}
    with pytest.raises(BackboneError, match=message):
        model_geometry({**config, **change})


@pytest.mark.parametrize(
    ("architecture", "tag", "message"),
    [
        ("ViT-B-32", "openai", "trained with QuickGELU .* ViT-B-32 computes GELU; use ViT-B-32-quickgelu,openai"),
        ("ViT-B-16", "dfn2b", "use ViT-B-16-quickgelu,dfn2b instead"),
        ("RN50x16", "openai", "use RN50x16-quickgelu,openai instead"),
    ],
)
def test_another_activation_is_an_error(architecture: str, tag: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        check_activation(architecture, tag)


def test_the_other_direction_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: {"quick_gelu": False})
    monkeypatch.setattr(open_clip, "list_pretrained", lambda: [])
    with pytest.raises(
        BackboneError, match=r"trained with GELU .* computes QuickGELU; no architecture of open_clip fits"
    ):
        check_activation("ViT-B-32-quickgelu", "x")


@pytest.mark.parametrize(
    "pair",
    [("ViT-B-32-quickgelu", "openai"), ("ViT-B-16", "laion2b_s34b_b88k"), ("roberta-ViT-B-32", "laion2b_s12b_b32k")],
)
def test_fitting_activations_pass(pair: tuple[str, str]) -> None:
    check_activation(*pair)


def test_seeded_weights() -> None:
    torch.manual_seed(11)
    expected = torch.rand(2)
    torch.manual_seed(11)
    with seeded(5):
        one = torch.rand(4)
    with seeded(5):
        two = torch.rand(4)
    assert torch.equal(one, two)
    assert torch.equal(torch.rand(2), expected)


def test_model_of_an_unknown_tower_is_refused() -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = torch.nn.Linear(1, 1)

    with pytest.raises(BackboneError, match="got Linear"):
        OpenClipBackbone(Odd(), SimpleNamespace(), name="odd", embed_dim=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["plain", "LayerScale, no ln_pre"])
def test_value_features_are_what_the_last_attention_writes_for_each_patch(kind: str) -> None:
    backbone = STREAMS[kind]()
    pixels = random_images(backbone, 2).float()
    found = backbone.value_features(pixels, "both")
    plain = backbone.patch_features(pixels, "both")
    assert torch.equal(found.features, plain.features)
    assert torch.equal(found.embedding, plain.embedding)
    trace = backbone.trace_blocks(pixels)
    last = trace.blocks[-1]
    expected = [trace.read(last.project(last.value[:, :, token].flatten(1))) for token in range(1, 17)]
    torch.testing.assert_close(found.values, torch.stack(expected, dim=1))


@pytest.mark.parametrize("kind", ["CLIPA", "query and key norm", "timm ViT"])
def test_value_features_of_other_towers_are_refused(kind: str) -> None:
    backbone = STREAMS[kind]()
    with pytest.raises(BackboneError, match="a class token and plain attention, found tiny"):
        backbone.value_features(random_images(backbone, 1).float())
    with pytest.raises(BackboneError, match="has no class token with plain attention"):
        TowerReader.values(backbone._reader, {})
