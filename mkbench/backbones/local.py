"""Model folders: open_clip's ``local-dir:`` format, read without network and without unpickling anything.

A folder holds

* ``open_clip_config.json``: ``{"model_cfg": {"embed_dim", "vision_cfg", "text_cfg", ...}, "preprocess_cfg": {...}}``;
  the keys of ``preprocess_cfg`` are ``mean``, ``std``, ``interpolation`` and ``resize_mode``, each optional;
* ``open_clip_model.safetensors``: the state dict, stored in fp16 or fp32;
* ``vocab.bpe.gz``, optional: the vocabulary of the text encoder. Without it the tokenizer is the one that open_clip
  chooses from the configuration (its own 49,408 tokens unless the configuration names another).
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from mkbench.backbones.building import build_random, build_with_weights
from mkbench.backbones.deferred_text import needing_hugging_face
from mkbench.backbones.openclip import DeferredTokenizer, OpenClipBackbone
from mkbench.errors import BackboneError, MkbenchWarning
from mkbench.text_files import parse_json

PREFIX = "local-dir:"
CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"
VOCABULARY_FILE = "vocab.bpe.gz"

# The settings of a tokenizer that name no file and run no code.
TOKENIZER_SETTINGS = frozenset({"clean", "language", "reduction_mask", "strip_sep_token"})
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_TIMM_NAME = re.compile(r"\w[\w.-]*")


def save_local(
    model: torch.nn.Module, tokenizer_bpe_path: str | Path | None, config: Mapping[str, Any], folder: str | Path
) -> Path:
    """Write a model folder that ``load_backbone("local-dir:FOLDER")`` and open_clip itself read back.

    Args:
        model: an open_clip model; its weights are stored in fp16.
        tokenizer_bpe_path: vocabulary written by ``write_bpe``, copied into the folder; None for open_clip's own.
        config: ``{"model_cfg": ..., "preprocess_cfg": ...}`` as in the configuration file.
        folder: the folder to write into, made if missing.

    Returns:
        The folder.

    Raises:
        BackboneError: if the configuration lacks a key or does not fit the vocabulary.
        ValueError: if a weight is not finite in fp16.
    """
    target = Path(folder)
    check_config(config, target)
    tensors = {name: _to_half(name, tensor) for name, tensor in model.state_dict().items()}
    target.mkdir(parents=True, exist_ok=True)
    (target / CONFIG_FILE).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    vocabulary = target / VOCABULARY_FILE
    if tokenizer_bpe_path is None:
        vocabulary.unlink(missing_ok=True)  # of an earlier model in the same folder
    elif Path(tokenizer_bpe_path).resolve() != vocabulary.resolve():
        shutil.copyfile(tokenizer_bpe_path, vocabulary)
    load_tokenizer(target, config)
    save_file(tensors, target / WEIGHTS_FILE, metadata={"format": "pt"})
    return target


def load_local(folder: str | Path, *, name: str, random_weights: bool = False, seed: int = 0) -> OpenClipBackbone:
    """Load a model folder; the weights are in fp32 in memory.

    Args:
        folder: a folder as described at the top of this module.
        name: how results call the model.
        random_weights: draw the weights instead of reading them; the weights file may then be missing.
        seed: seed of the random weights.

    Raises:
        BackboneError: if a file is missing, the configuration is incomplete or names a path, or the parts do not fit.
    """
    source = Path(os.path.expanduser(folder)).resolve()
    config = read_config(source)
    if not random_weights and not (source / WEIGHTS_FILE).is_file():
        raise BackboneError(
            f"Expected the weights in {source / WEIGHTS_FILE}, found no such file; weights in a pickle format "
            "(.bin, .pt) must be converted to safetensors first."
        )
    tokenizer = _defer_tokenizer(source, config)
    try:
        if random_weights:
            model = build_random(f"{PREFIX}{source}", seed=seed)
        else:
            model = build_with_weights(f"{PREFIX}{source}", source / WEIGHTS_FILE)
    except BackboneError:
        raise
    except Exception as error:  # whatever the configuration makes open_clip, timm or safetensors stumble over
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BackboneError(
            f"The model in {source} cannot be built: {reason[0].rstrip('.')}; check that {CONFIG_FILE} and "
            f"{WEIGHTS_FILE} belong to each other."
        ) from error
    return OpenClipBackbone(
        model, tokenizer, name=name, embed_dim=config["model_cfg"]["embed_dim"], random_weights=random_weights
    )


def _defer_tokenizer(folder: Path, config: Mapping[str, Any]) -> Any:
    """Load a tokenizer that comes with the folder or with open_clip, and put off one of Hugging Face."""
    load = partial(load_tokenizer, folder, config)
    if not config["model_cfg"]["text_cfg"].get("hf_tokenizer_name"):
        return load()
    if (folder / VOCABULARY_FILE).is_file():
        raise BackboneError(f"Expected either {VOCABULARY_FILE} or text_cfg.hf_tokenizer_name in {folder}, found both.")
    return DeferredTokenizer(load)


def read_config(folder: Path) -> dict[str, Any]:
    """Read and check the configuration of a model folder.

    Raises:
        BackboneError: if it is missing, not JSON, incomplete or names a path.
    """
    path = folder / CONFIG_FILE
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackboneError(f"Expected a model folder with {CONFIG_FILE}, found no {path}; check the path.") from error
    except (OSError, ValueError) as error:
        raise BackboneError(f"Expected JSON in {path}, but it cannot be read: {error}.") from error
    check_config(config, folder)
    return dict(config)


def check_config(config: Any, folder: Path) -> None:
    """Check what open_clip would fail on late, and refuse settings that lead out of the folder.

    Raises:
        BackboneError: naming the setting.

    >>> model = {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}
    >>> check_config({"model_cfg": model, "preprocess_cfg": {"mean": 0.5, "std": 0.5}}, Path("model"))
    """
    where = f"{CONFIG_FILE} of {folder}"
    model_cfg = config.get("model_cfg") if isinstance(config, Mapping) else None
    kinds = {"embed_dim": int, "vision_cfg": dict, "text_cfg": dict}
    for key, kind in kinds.items():
        if not isinstance(model_cfg, Mapping) or not isinstance(model_cfg.get(key), kind):
            raise BackboneError(f"Expected model_cfg.{key} of type {kind.__name__} in {where}, found none.")
    vision, text = model_cfg["vision_cfg"], model_cfg["text_cfg"]  # type: ignore[index]
    names = [("vision_cfg.timm_model_name", vision, _TIMM_NAME), ("text_cfg.hf_model_name", text, _HUB_NAME)]
    for key, section, pattern in names:
        value = section.get(key.split(".")[1])
        if value is not None and not pattern.fullmatch(str(value)):
            raise BackboneError(f"Expected a model name, not a path, for {key} in {where}, got {value!r}.")
    _check_preprocessing(config.get("preprocess_cfg", {}), vision.get("image_size", 224), where)
    surplus = sorted(set(text.get("tokenizer_kwargs") or {}) - TOKENIZER_SETTINGS)
    if surplus:
        raise BackboneError(
            f"Expected only {', '.join(sorted(TOKENIZER_SETTINGS))} in text_cfg.tokenizer_kwargs of {where}, got "
            f"{', '.join(surplus)}; a vocabulary belongs into {VOCABULARY_FILE}."
        )


def _check_preprocessing(preprocess: Any, image_size: Any, where: str) -> None:
    if not isinstance(preprocess, Mapping):
        raise BackboneError(f"Expected preprocess_cfg to hold settings by name in {where}, got {preprocess!r}.")
    unknown = [f"preprocess_cfg.{name}" for name in ("mean", "std") if preprocess.get(name) is None]
    if unknown:
        warnings.warn(
            f"There is no {' and no '.join(unknown)} in {where}, so images are normalised as those of OpenAI's CLIP; "
            "add it if the model was trained otherwise.",
            MkbenchWarning,
            stacklevel=2,
        )
    size = preprocess.get("size")
    if size is not None and _sides(size) != _sides(image_size):
        raise BackboneError(
            f"Expected preprocess_cfg.size to be the {image_size} of vision_cfg.image_size in {where}, got {size}; "
            "correct the one that is wrong."
        )


def _sides(size: Any) -> tuple[Any, Any]:
    """Height and width of a size given as one number or as a sequence, perhaps with the channels before them."""
    return (size[-2:][0], size[-1]) if isinstance(size, list | tuple) and size else (size, size)


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> Any:
    """Load the tokenizer of a model folder.

    Raises:
        BackboneError: if it cannot be read or its size is not that of the text configuration.
    """
    text = config["model_cfg"]["text_cfg"]
    vocabulary = folder / VOCABULARY_FILE
    settings = {"bpe_path": str(vocabulary)} if vocabulary.is_file() else {}
    if text.get("hf_tokenizer_name"):
        with needing_hugging_face(f"The tokenizer of {folder}"):
            return open_clip.get_tokenizer(f"{PREFIX}{folder}")
    try:
        tokenizer = open_clip.get_tokenizer(f"{PREFIX}{folder}", **settings)
    except Exception as error:
        raise BackboneError(f"The tokenizer of {folder} cannot be read: {error}; write it with write_bpe.") from error
    expected, found = text.get("vocab_size", 49408), getattr(tokenizer, "vocab_size", None)
    if found is not None and found != expected:
        raise BackboneError(
            f"Expected text_cfg.vocab_size to be the {found} tokens of the tokenizer of {folder}, got {expected}."
        )
    return tokenizer


def _to_half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.cpu().contiguous()
    half = tensor.detach().to("cpu", torch.float16).contiguous()
    if not bool(half.isfinite().all()):
        raise ValueError(f"Expected weights that are finite in fp16, got others in {name}.")
    return half
