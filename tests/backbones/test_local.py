from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from mkbench.backbones import OpenClipBackbone, load_backbone, save_local, write_bpe
from mkbench.backbones.local import CONFIG_FILE, VOCABULARY_FILE, WEIGHTS_FILE, load_local
from mkbench.errors import BackboneError

from .conftest import CONFIG, MERGES, SIZE, build, tiny_config


def rewrite(folder: Path, **text: Any) -> None:
    config = tiny_config()
    config["model_cfg"]["text_cfg"].update(text)
    (folder / CONFIG_FILE).write_text(json.dumps(config))


def test_round_trip(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE]
    stored = load_file(folder / WEIGHTS_FILE)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    backbone = load_backbone(f"local-dir:{folder}")
    assert (backbone.name, backbone.dtype, backbone.random_weights) == ("critter", torch.float32, False)
    assert isinstance(backbone, OpenClipBackbone)
    original = build(CONFIG).half().float().eval()
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(backbone.encode_image(pixels), original.encode_image(pixels))
        tokens = backbone.tokenizer(["cat dog"])
        torch.testing.assert_close(backbone.encode_text(["cat dog"]), original.encode_text(tokens))
    assert int(tokens.max()) == SIZE - 1
    assert backbone.fingerprint == load_backbone(f"local-dir:{folder}").fingerprint


def test_resnet_round_trip_keeps_counters(tmp_path: Path, vocabulary: Path) -> None:
    config = tiny_config({"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64})
    save_local(build(config), vocabulary, config, tmp_path / "rn")
    backbone = load_local(tmp_path / "rn", name="rn")
    assert (backbone.grid, backbone.feature_dim) == ((2, 2), 256)
    assert load_file(tmp_path / "rn" / WEIGHTS_FILE)["visual.bn1.num_batches_tracked"].dtype == torch.int64


def test_without_a_vocabulary_open_clip_chooses(tmp_path: Path, vocabulary: Path) -> None:
    config = tiny_config()
    config["model_cfg"]["text_cfg"]["vocab_size"] = 49408
    save_local(build(tiny_config()), vocabulary, tiny_config(), tmp_path / "m")
    save_local(build(config), None, config, tmp_path / "m")  # over the earlier model
    assert not (tmp_path / "m" / VOCABULARY_FILE).exists()
    backbone = load_local(tmp_path / "m", name="m")
    assert torch.equal(backbone.tokenizer(["a cat"]), open_clip.tokenize(["a cat"], context_length=8))


def test_saving_in_place_keeps_the_vocabulary(folder: Path) -> None:
    before = (folder / VOCABULARY_FILE).read_bytes()
    save_local(build(CONFIG, seed=1), folder / VOCABULARY_FILE, CONFIG, folder)
    assert (folder / VOCABULARY_FILE).read_bytes() == before


def test_random_weights_need_no_weights_file(folder: Path) -> None:
    (folder / WEIGHTS_FILE).unlink()
    one, two = (load_backbone(f"local-dir:{folder}", random_weights=True, seed=seed) for seed in (0, 1))
    assert one.name == "critter (random weights)"
    assert one.random_weights
    assert one.fingerprint != two.fingerprint
    assert one.fingerprint == load_backbone(f"local-dir:{folder}", random_weights=True).fingerprint


def test_vocabulary_of_another_size_is_refused(folder: Path) -> None:
    rewrite(folder, vocab_size=600)
    with pytest.raises(BackboneError, match=r"vocab_size to be the 518 tokens .* got 600"):
        load_local(folder, name="m")


def test_saving_refuses_a_vocabulary_of_another_size(tmp_path: Path) -> None:
    write_bpe(MERGES[:2], tmp_path / "two.bpe.gz")
    with pytest.raises(BackboneError, match=r"to be the 516 tokens .* got 518"):
        save_local(build(CONFIG), tmp_path / "two.bpe.gz", CONFIG, tmp_path / "m")


def test_saving_refuses_weights_beyond_half_precision(tmp_path: Path, vocabulary: Path) -> None:
    model = build(CONFIG)
    with torch.no_grad():
        model.ln_final.weight[0] = 1e6
    with pytest.raises(ValueError, match=r"finite in fp16, got others in ln_final\.weight"):
        save_local(model, vocabulary, CONFIG, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_missing_parts(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"Expected a model folder with open_clip_config.json, found no .*nowhere"):
        load_backbone(f"local-dir:{tmp_path / 'nowhere'}")
    (folder / WEIGHTS_FILE).rename(folder / "open_clip_pytorch_model.bin")
    with pytest.raises(BackboneError, match="found no such file; weights in a pickle format"):
        load_local(folder, name="m")


@pytest.mark.parametrize("text", ["{", "\udc80"])
def test_configuration_that_is_not_json(folder: Path, text: str) -> None:
    (folder / CONFIG_FILE).write_text(text, errors="surrogateescape")
    with pytest.raises(BackboneError, match="Expected JSON in"):
        load_local(folder, name="m")


@pytest.mark.parametrize(
    "config", [[], {}, {"model_cfg": {"embed_dim": "8"}}, {"model_cfg": {"embed_dim": 8, "vision_cfg": {}}}]
)
def test_incomplete_configurations(folder: Path, config: Any) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    with pytest.raises(BackboneError, match=r"Expected model_cfg\.\w+ of type"):
        load_local(folder, name="m")


@pytest.mark.parametrize("name", ["../other", "/etc/model", "a/b/c", "hf-hub:a/b", "a\\b"])
def test_names_must_not_be_paths(folder: Path, name: str) -> None:
    rewrite(folder, hf_model_name=name)
    with pytest.raises(BackboneError, match=r"model name, not a path, for text_cfg\.hf_model_name"):
        load_local(folder, name="m")
    (folder / CONFIG_FILE).write_text(json.dumps(tiny_config({"timm_model_name": name})))
    with pytest.raises(BackboneError, match=r"model name, not a path, for vision_cfg\.timm_model_name"):
        load_local(folder, name="m")


@pytest.mark.parametrize("setting", [{"bpe_path": "/etc/x.gz"}, {"trust_remote_code": True}, {"cache_dir": "."}])
def test_tokenizer_settings_must_not_name_files_or_code(folder: Path, setting: dict[str, Any]) -> None:
    rewrite(folder, tokenizer_kwargs={"clean": "lower", **setting})
    with pytest.raises(BackboneError, match=f"tokenizer_kwargs of .* got {next(iter(setting))}; a vocabulary belongs"):
        load_local(folder, name="m")


@pytest.mark.parametrize("part", ["tokenizer", "text tower"])
def test_code_beside_a_model_is_neither_run_nor_asked_about(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr("builtins.input", lambda _: "y")  # transformers would ask, and do as it is told
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    text = tmp_path / "stranger" / "text"  # a name of the hub that transformers takes for this folder
    text.mkdir(parents=True)
    (folder / VOCABULARY_FILE).unlink()
    kinds = {"AutoConfig": "own.Own", "AutoModel": "own.Own", "AutoTokenizer": ["own.Own", None]}
    for place in (folder, text):
        (place / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
        (place / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": kinds}))
        settings = {"tokenizer_class": "Own", "auto_map": kinds}
        (place / "tokenizer_config.json").write_text(json.dumps(settings))
    rewrite(folder, hf_tokenizer_name="a/b", **({"hf_model_name": "stranger/text"} if part == "text tower" else {}))
    with pytest.raises(BackboneError, match=f"The {part} of .* needs code that comes with its files, .* never run"):
        load_local(folder, name="m", random_weights=True).encode_text(["a cat"])
    assert not (tmp_path / "ran").exists()


def test_two_tokenizers_are_refused(folder: Path) -> None:
    rewrite(folder, hf_tokenizer_name="a/b")
    with pytest.raises(BackboneError, match=r"either vocab.bpe.gz or text_cfg.hf_tokenizer_name .* found both"):
        load_local(folder, name="m")


def test_damaged_vocabulary(folder: Path) -> None:
    (folder / VOCABULARY_FILE).write_text("not compressed")
    with pytest.raises(BackboneError, match=r"tokenizer of .* cannot be read: Not a gzipped file"):
        load_local(folder, name="m")


def test_weights_of_another_model(folder: Path) -> None:
    rewrite(folder, layers=3)
    expected = (
        r"The weights in .*open_clip_model.safetensors do not fit the model: 12 missing "
        r"\(transformer.resblocks.2.ln_1.weight, .* and 9 more\); the configuration must be that of the model"
    )
    with pytest.raises(BackboneError, match=expected):
        load_local(folder, name="m")
    rewrite(folder, layers=1)
    with pytest.raises(BackboneError, match=r"fit the model: 12 too many \(transformer.resblocks.1.attn.in_proj_bias,"):
        load_local(folder, name="m")
    rewrite(folder, width=64, heads=4)
    with pytest.raises(
        BackboneError, match=r"fit the model: positional_embedding has the shape \(8, 32\) instead of \(8, 64\);"
    ):
        load_local(folder, name="m")


def rename(folder: Path, change: Callable[[str], str]) -> None:
    weights = load_file(folder / WEIGHTS_FILE)
    save_file({change(name): tensor for name, tensor in weights.items()}, folder / WEIGHTS_FILE)


@pytest.mark.parametrize(
    "change",
    [
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: name.replace("visual.", "visual._orig_mod."),
    ],
)
def test_prefixes_of_wrapped_models_are_stripped(folder: Path, change: Callable[[str], str]) -> None:
    expected = load_local(folder, name="m").fingerprint
    rename(folder, change)
    assert load_local(folder, name="m").fingerprint == expected


def test_half_precision_weights_at_another_image_size(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "full")
    weights = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS_FILE).items()}
    save_file(weights, tmp_path / "full" / WEIGHTS_FILE)
    for path in (folder, tmp_path / "full"):
        (path / CONFIG_FILE).write_text(json.dumps(tiny_config({"image_size": 48})))
    half, full = load_local(folder, name="m"), load_local(tmp_path / "full", name="m")
    assert half.grid == (6, 6)
    assert half.fingerprint == full.fingerprint
    reference = open_clip.create_model(f"local-dir:{tmp_path / 'full'}")  # open_clip's own interpolation
    torch.testing.assert_close(half.model.visual.positional_embedding, reference.visual.positional_embedding)


def test_weights_with_an_infinity_are_refused(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS_FILE)
    weights["ln_final.bias"][3] = torch.inf
    save_file(weights, folder / WEIGHTS_FILE)
    with pytest.raises(BackboneError, match=r"Expected finite weights of critter, .* infinity in model.ln_final.bias"):
        load_backbone(f"local-dir:{folder}")


def with_preprocessing(folder: Path, **preprocess: Any) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps({**tiny_config(), "preprocess_cfg": preprocess}))


def test_one_number_normalises_all_channels(folder: Path) -> None:
    with_preprocessing(folder, mean=0.5, std=0.25)
    geometry = load_local(folder, name="m").geometry
    assert (geometry.mean, geometry.std) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        ({"mean": "grey", "std": 1}, r"preprocessing of the weights cannot be followed: could not convert"),
        ({"mean": [0.5, 0.5], "std": 1}, r"cannot be followed: Expected three means"),
        ({"mean": [None] * 3, "std": 1}, r"preprocessing of the weights cannot be followed: float\(\)"),
        ({"mean": 0, "std": 1, "size": 64}, r"preprocess_cfg.size to be the 32 of vision_cfg.image_size .* got 64"),
        ({"mean": 0, "std": 1, "size": [3, 32, 64]}, r"to be the 32 of vision_cfg.image_size .* got \[3, 32, 64\]"),
    ],
)
def test_preprocessing_that_cannot_be_followed(folder: Path, preprocess: dict[str, Any], message: str) -> None:
    with_preprocessing(folder, **preprocess)
    with pytest.raises(BackboneError, match=message):
        load_local(folder, name="m")


@pytest.mark.parametrize("size", [32, [32, 32], [3, 32, 32]])
def test_the_size_may_be_said_again(folder: Path, size: Any) -> None:
    with_preprocessing(folder, mean=0, std=1, size=size)
    assert load_local(folder, name="m").image_size == 32


def test_missing_preprocessing_is_said(folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps({"model_cfg": tiny_config()["model_cfg"]}))
    with pytest.warns(UserWarning, match=r"no preprocess_cfg.mean and no preprocess_cfg.std in .* of OpenAI's CLIP"):
        geometry = load_local(folder, name="m").geometry
    assert geometry.mean == open_clip.OPENAI_DATASET_MEAN


def test_preprocessing_of_the_wrong_kind(folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps({**tiny_config(), "preprocess_cfg": [224]}))
    with pytest.raises(BackboneError, match=r"Expected preprocess_cfg to hold settings by name .* got \[224\]"):
        load_local(folder, name="m")


def test_damaged_weights(folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes(b"not safetensors")
    with pytest.raises(BackboneError, match="cannot be built"):
        load_local(folder, name="m")
