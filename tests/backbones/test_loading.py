from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

import mkbench
from mkbench.backbones import deferred_text, known_models, loading
from mkbench.errors import BackboneError, UsageError

from .conftest import CONFIG, build

SMALL = "ViT-S-32-alt"


def test_random_weights_by_seed() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    one = mkbench.load_backbone(SMALL, random_weights=True)
    assert torch.equal(torch.rand(3), expected)  # the caller's random state is untouched
    assert (one.name, one.random_weights) == (f"{SMALL} (random weights)", True)
    assert one.fingerprint == mkbench.load_backbone(SMALL, random_weights=True, seed=0).fingerprint
    assert one.fingerprint != mkbench.load_backbone(SMALL, random_weights=True, seed=1).fingerprint


def test_random_weights_keep_the_geometry_of_the_named_weights() -> None:
    # These weights were trained with mean and deviation 0.5, unlike others of the same architecture.
    source = loading._find_source("vit-l-14-laion2b", None)
    captured: dict[str, Any] = {}

    def create(architecture: str, **settings: Any) -> str:
        captured.update(settings, architecture=architecture)
        return "model"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip, "create_model", create)
        assert loading._build_random(source, 0) == "model"
    assert captured["architecture"] == "ViT-L-14"
    assert captured["force_preprocess_cfg"]["mean"] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "tag", "pair", "shown"),
    [
        ("vit-b-16-openai", None, ("ViT-B-16-quickgelu", "openai"), "vit-b-16-openai"),
        ("ViT-B-16-quickgelu,openai", None, ("ViT-B-16-quickgelu", "openai"), "vit-b-16-openai"),
        ("ViT-B-16-quickgelu", "openai", ("ViT-B-16-quickgelu", "openai"), "vit-b-16-openai"),
        ("ViT-B-32,laion2b-s34b-b79K", None, ("ViT-B-32", "laion2b_s34b_b79k"), "ViT-B-32,laion2b_s34b_b79k"),
    ],
)
def test_every_spelling_of_a_pair(
    downloads: list[tuple[str, str]], name: str, tag: str | None, pair: tuple[str, str], shown: str
) -> None:
    assert loading._find_source(name, tag).name == shown
    with pytest.raises(BackboneError, match="cannot be had"):
        mkbench.load_backbone(name, pretrained=tag)
    assert downloads == [pair]


def test_pretrained_weights_are_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**CONFIG["model_cfg"], "text_cfg": {**CONFIG["model_cfg"]["text_cfg"], "vocab_size": 49408}}
    model = build({**CONFIG, "model_cfg": config})
    monkeypatch.setattr(open_clip, "create_model_from_pretrained", lambda *_, **__: model)
    backbone = mkbench.load_backbone("ViT-B-32", pretrained="laion2b_s34b_b79k")
    assert (backbone.name, backbone.random_weights) == ("ViT-B-32,laion2b_s34b_b79k", False)
    assert backbone.embed_dim == 512  # of the architecture


def test_a_failed_download_says_what_to_put_where(downloads: list[tuple[str, str]]) -> None:
    expected = (
        r"The weights openai of ViT-B-16-quickgelu cannot be had \(Failed to .* no route\); without network, fetch "
        r"https://huggingface.co/timm/vit_base_patch16_clip_224.openai elsewhere .* open_clip_model.safetensors into a "
        r"folder and load local-dir:FOLDER\.$"
    )
    with pytest.raises(BackboneError, match=expected):
        mkbench.load_backbone("vit-b-16-openai")


def test_where_a_single_file_or_an_address_belongs() -> None:
    assert "https://huggingface.co/org/repo elsewhere" in loading._by_hand({"hf_hub": "org/repo/weights.bin"})
    expected = "fetch https://x.org/w.pt elsewhere and put the file into ~/.cache/clip"
    assert loading._by_hand({"url": "https://x.org/w.pt", "hf_hub": ""}) == expected


def test_the_activation_is_checked_before_any_download(downloads: list[tuple[str, str]]) -> None:
    with pytest.raises(BackboneError, match="use ViT-B-32-quickgelu,openai instead"):
        mkbench.load_backbone("ViT-B-32", pretrained="openai")
    assert downloads == []


@pytest.mark.parametrize(
    ("name", "tag", "message"),
    [
        ("vit-b16-openai", None, "got 'vit-b16-openai'; did you mean vit-b-16-openai"),
        ("ViT-B/16", None, "did you mean .*ViT-B-16"),
        ("hf-hub:org/model", None, "Expected the name of a model"),
        (
            "ViT-B-16,laion2b_s34b",
            None,
            "tag of weights for ViT-B-16, got 'laion2b_s34b'; did you mean laion2b_s34b_b88k",
        ),
        ("ViT-S-32-alt", "openai", "open_clip publishes no weights for it"),
        ("ViT-B-16", None, "ViT-B-16 needs weights: name one of its tags .*laion2b_s34b_b88k.* or ask for random"),
        ("ViT-S-32-alt", None, "open_clip publishes none for it, or ask for random_weights"),
        ("vit-b-16-openai", "openai", "already says which weights to load"),
        ("ViT-B-16,openai", "openai", "already says which weights to load"),
        ("local-dir:x", "openai", "already says which weights to load"),
    ],
)
def test_wrong_names(name: str, tag: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mkbench.load_backbone(name, pretrained=tag)


def test_tokenizers_are_loaded_for_the_first_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise OSError("offline")

    monkeypatch.setattr(open_clip, "get_tokenizer", fail)
    backbone = mkbench.load_backbone(SMALL, random_weights=True)
    side = backbone.image_size
    assert backbone.encode_image(torch.zeros(1, 3, side, side, dtype=torch.uint8)).shape == (1, 256)
    with pytest.raises(BackboneError, match=rf"tokenizer of {SMALL} cannot be had \(offline\); .* Hugging Face cache"):
        backbone.encode_text(["a cat"])


@pytest.mark.parametrize(
    ("installed", "message"),
    [(True, r"text tower of roberta-ViT-B-32 cannot be had \(no route\)"), (False, r"pip install 'mkbench\[hf\]'")],
)
def test_text_towers_of_hugging_face(monkeypatch: pytest.MonkeyPatch, installed: bool, message: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no route")

    monkeypatch.setattr(open_clip, "create_model", fail)
    monkeypatch.setattr(deferred_text, "find_spec", lambda _: object() if installed else None)
    with pytest.raises(BackboneError, match=message):
        mkbench.load_backbone("roberta-ViT-B-32", random_weights=True)


def test_architectures_that_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("Unknown model")

    monkeypatch.setattr(open_clip, "create_model", fail)
    with pytest.raises(BackboneError, match=f"architecture {SMALL} cannot be built: Unknown model"):
        mkbench.load_backbone(SMALL, random_weights=True)


def test_bundled_models(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_models, "ASSETS", tmp_path / "assets")
    with pytest.raises(BackboneError, match="bundled model critters-rn is missing from this installation"):
        mkbench.load_backbone("critters-rn")
    (tmp_path / "assets" / "critters").mkdir(parents=True)
    folder.rename(tmp_path / "assets" / "critters" / "critters-rn")
    assert mkbench.load_backbone("critters-rn").name == "critters-rn"
    assert mkbench.load_backbone("critters-rn", random_weights=True).name == "critters-rn (random weights)"


@pytest.mark.parametrize("module", [mkbench, mkbench.backbones])
def test_unknown_attributes(module: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_backbones'"):
        _ = module.load_backbones
