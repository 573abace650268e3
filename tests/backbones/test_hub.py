"""Models as they come from the hub: real repository names and file formats, random weights, no network."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from forced_kernels import BFLOAT16_ATTENTION
from hub_cache import HubCache, hub_cache

from mkbench.backbones import OpenClipBackbone, building, deferred_text, load_backbone
from mkbench.backbones.building import NO_TEXT
from mkbench.backbones.deferred_text import has_hugging_face_text
from mkbench.backbones.openclip import check_activation
from mkbench.errors import BackboneError

__all__ = ["hub_cache"]

#: Texts of words that the tokenizers of the cache know, so that they differ.
TEXTS = ["a photo of a cat", "the dog"]

PAIRS = {
    "PE": "PE-Core-T-16-384,meta",
    "RoBERTa text": "roberta-ViT-B-32,laion2b_s12b_b32k",
}
SLOW_PAIRS = {
    "ViT": "ViT-B-32,laion2b_s34b_b79k",
    "ResNet": "RN50-quickgelu,openai",
    "ConvNeXt": "convnext_base,laion400m_s13b_b51k",
    "SigLIP": "ViT-B-16-SigLIP,webli",
    "SigLIP2": "ViT-B-32-SigLIP2-256,webli",
    "EVA02": "EVA02-B-16,merged2b_s8b_b131k",
    "MobileCLIP2": "MobileCLIP2-S0,dfndr2b",
    "ViTamin": "ViTamin-S,datacomp1b",
    "CoCa": "coca_ViT-B-32,laion2b_s13b_b90k",
    "CLIPA": "ViT-L-14-CLIPA,datacomp1b",
    "NLLB text": "nllb-clip-base-siglip,v1",
    "XLM-RoBERTa text": "xlm-roberta-base-ViT-B-32,laion5b_s13b_b90k",
}
QUIET = pytest.mark.filterwarnings("ignore:Cannot set language for the tokenizer")  # the cache's knows no languages


def images(backbone: Any, count: int = 2) -> torch.Tensor:
    shape = (count, 3, backbone.image_size, backbone.image_size)
    return torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0), device=backbone.device
    )


def embed(backbone: Any) -> None:
    """Embed two images and two texts."""
    for embeddings in (backbone.encode_image(images(backbone)), backbone.encode_text(TEXTS)):
        assert embeddings.shape == (2, backbone.embed_dim)
        assert bool(embeddings.isfinite().all())
        assert not torch.equal(embeddings[0], embeddings[1])
    assert backbone.truncated_texts == 0
    assert backbone.count_tokens(TEXTS)[0] > backbone.count_tokens(TEXTS)[1]


@QUIET
@pytest.mark.parametrize(
    "pair",
    [pytest.param(pair, id=name) for name, pair in PAIRS.items()]
    + [pytest.param(pair, id=name, marks=pytest.mark.slow) for name, pair in SLOW_PAIRS.items()],
)
def test_one_model_of_each_family_is_read_from_the_cache(hub_cache: HubCache, pair: str) -> None:
    architecture, _, tag = pair.partition(",")
    stored = hub_cache.add_weights(architecture, tag, seed=1)
    backbone = load_backbone(pair)
    assert (backbone.random_weights, backbone.dtype) == (False, torch.float32)
    before = backbone.fingerprint
    embed(backbone)
    assert backbone.fingerprint == before
    assert isinstance(backbone, OpenClipBackbone)
    loaded = backbone.model.state_dict()
    assert list(loaded) == list(stored)
    assert all(torch.equal(loaded[name], tensor.to(loaded[name].dtype)) for name, tensor in stored.items())


@pytest.fixture
def roberta(hub_cache: HubCache) -> HubCache:
    hub_cache.add_weights("roberta-ViT-B-32", "laion2b_s12b_b32k")
    return hub_cache


def test_images_need_no_text_encoder(roberta: HubCache, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(roberta.folder / "models--roberta-base")
    backbone = load_backbone("roberta-ViT-B-32,laion2b_s12b_b32k")
    assert bool(backbone.encode_image(images(backbone)).isfinite().all())
    with pytest.raises(BackboneError, match=r"tokenizer of roberta-ViT-B-32 cannot be had .* Hugging Face cache"):
        backbone.encode_text(TEXTS)
    monkeypatch.setattr(deferred_text, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match=r"needs the package transformers, .* pip install 'mkbench\[hf\]'"):
        backbone.encode_text(TEXTS)


@BFLOAT16_ATTENTION
def test_a_deferred_text_tower_follows_the_model(roberta: HubCache) -> None:
    backbone = load_backbone("roberta-ViT-B-32,laion2b_s12b_b32k")
    count = backbone.num_parameters
    backbone.to(torch.bfloat16)
    assert backbone.encode_text(TEXTS).dtype == torch.float32
    assert isinstance(backbone, OpenClipBackbone)
    text = backbone.model.text
    assert {tensor.dtype for tensor in text.parameters()} == {torch.bfloat16}
    assert not any(tensor.requires_grad for tensor in text.parameters())
    assert not text.training
    assert backbone.num_parameters == count


@QUIET
@pytest.mark.parametrize("architecture", ["ViT-B-16-SigLIP2", "ViT-H-14-worldwide-quickgelu"])
def test_tokenizers_of_the_hub_are_for_texts_alone(
    hub_cache: HubCache, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = open_clip.get_model_config(architecture)  # the big towers are not what is tested
    small = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    monkeypatch.setitem(
        open_clip.factory._MODEL_CONFIGS,
        architecture,
        {**config, "vision_cfg": small, "text_cfg": {**config["text_cfg"], **NO_TEXT, "context_length": 16}}
        | {"custom_text": True},
    )
    backbone = load_backbone(architecture, random_weights=True)
    assert backbone.encode_image(images(backbone)).shape == (2, config["embed_dim"])
    with pytest.raises(BackboneError, match=f"tokenizer of {architecture} cannot be had"):
        backbone.encode_text(TEXTS)
    hub_cache.add_text(architecture)
    assert backbone.context_length == 16


# -- everything that is published ----------------------------------------------------------------------------------


def refusal(architecture: str, tag: str) -> str:
    """Why these weights do not belong to the architecture, or nothing."""
    try:
        check_activation(architecture, tag)
    except BackboneError as error:
        return str(error)
    return ""


def test_refused_pairs_have_another_activation_and_a_counterpart() -> None:
    pairs = open_clip.list_pretrained()
    refused = [message for pair in pairs if (message := refusal(*pair))]
    assert (len(pairs), len(refused)) == (196, 27)  # as docs/models.md says
    counterparts = {message.split("use ")[1].split(" instead")[0] for message in refused}
    assert counterparts <= {",".join(pair) for pair in pairs if not refusal(*pair)}


@QUIET
@pytest.mark.slow
@pytest.mark.parametrize("pair", open_clip.list_pretrained(), ids=",".join)
def test_every_pair_is_built_at_its_full_size(
    hub_cache: HubCache, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shapes alone, on torch's device without memory; a text encoder of Hugging Face is the cache's small one."""
    architecture, tag = pair
    hub_cache.add_text(architecture)
    if refusal(architecture, tag):
        with pytest.raises(BackboneError, match="were trained with QuickGELU"):
            load_backbone(f"{architecture},{tag}", random_weights=True)
        return
    with monkeypatch.context() as patch, torch.device("meta"):
        patch.setattr(open_clip, "create_model", partial(open_clip.create_model, device="meta"))
        backbone = load_backbone(f"{architecture},{tag}", random_weights=True)
        assert backbone.encode_image(images(backbone, 1)).shape == (1, backbone.embed_dim)
    assert isinstance(backbone, OpenClipBackbone)
    tokens = backbone.tokenizer(TEXTS[:1])
    if has_hugging_face_text(open_clip.get_model_config(architecture)):  # it looks at values, which "meta" has none of
        backbone.model.text = building._build_text_tower(architecture)
    else:
        tokens = tokens.to("meta")
    assert backbone.model.encode_text(tokens).shape == (1, backbone.embed_dim)


ARCHITECTURES = list(dict.fromkeys(architecture for architecture, _ in open_clip.list_pretrained()))
#: Beyond one of each family, for the whole list takes most of an hour on two cores.
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # bytes of this machine
EVERY = os.environ.get("MKBENCH_TEST_EVERY_ARCHITECTURE") == "1"
ONE_OF_EACH = {pair.partition(",")[0] for pair in {**PAIRS, **SLOW_PAIRS}.values()} | {"MobileCLIP-B"}


def num_parameters(architecture: str) -> int:
    """Weights of the image tower and of the text tower, without making them; of Hugging Face's, the cache has less."""
    config = open_clip.get_model_config(architecture)
    text = NO_TEXT if "hf_model_name" in config["text_cfg"] else config["text_cfg"]
    vision = {**config["vision_cfg"], "timm_model_pretrained": False}
    with torch.device("meta"):
        model = open_clip.CustomTextCLIP(config["embed_dim"], vision, dict(text))
    return sum(parameter.numel() for parameter in model.parameters())


@QUIET
@pytest.mark.slow
@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if EVERY or name in ONE_OF_EACH])
def test_every_architecture_embeds_an_image_and_a_text(hub_cache: HubCache, architecture: str) -> None:
    """The tags of an architecture differ in their weights alone, and random ones do not depend on the tag."""
    needed = 4.5 * num_parameters(architecture)  # bytes
    if needed > MEMORY / 2:
        pytest.skip(f"{architecture} takes {needed / 1e9:.0f} GB")
    hub_cache.add_text(architecture)
    backbone = load_backbone(architecture, random_weights=True)
    assert backbone.encode_image(images(backbone, 1)).shape == (1, backbone.embed_dim)
    assert backbone.encode_text(TEXTS[:1]).shape == (1, backbone.embed_dim)


def test_the_cache_is_empty_at_first(hub_cache: HubCache, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"cannot be had \(Failed to download"):
        load_backbone(PAIRS["PE"])
