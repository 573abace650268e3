"""A Hugging Face cache without network: repositories under their real names, with generated content."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from mkbench.backbones.building import build_random

COMMIT = "0" * 40
WORDS = ("<s>", "<pad>", "</s>", "<unk>", "a", "photo", "of", "cat", "dog", "the")
SPECIAL = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
}
#: Configurations of small text encoders, by the repository that open_clip reads the real ones from.
_ROBERTA = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 160,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
_NLLB = {
    "model_type": "m2m_100",
    "is_encoder_decoder": True,
    "vocab_size": len(WORDS),
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 160,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
TEXT_ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "roberta-base": {"model_type": "roberta", **_ROBERTA},
    "xlm-roberta-base": {"model_type": "xlm-roberta", **_ROBERTA},
    "xlm-roberta-large": {"model_type": "xlm-roberta", **_ROBERTA},
    "facebook/nllb-200-distilled-600M": _NLLB,
    "facebook/nllb-200-distilled-1.3B": _NLLB,
}


class HubCache:
    """A cache folder that is written by the name of what is in it.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def repository(self, name: str) -> Path:
        """The folder of the files of a repository, made if missing."""
        root = self.folder / f"models--{name.replace('/', '--')}"
        files = root / "snapshots" / COMMIT
        files.mkdir(parents=True, exist_ok=True)
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / "main").write_text(COMMIT)
        return files

    def add_text(self, architecture: str) -> None:
        """Write the tokenizer and the configuration of the text encoder that an architecture names, if any."""
        text = open_clip.get_model_config(architecture)["text_cfg"]
        if "hf_tokenizer_name" in text:
            self._add_tokenizer(text["hf_tokenizer_name"])
        if "hf_model_name" in text:
            config = TEXT_ENCODERS[text["hf_model_name"]]
            (self.repository(text["hf_model_name"]) / "config.json").write_text(json.dumps(config))

    def add_weights(self, architecture: str, tag: str, *, seed: int = 0) -> dict[str, torch.Tensor]:
        """Write random weights in fp16 under the name of the repository of a pair; returns them."""
        self.add_text(architecture)
        state = {name: tensor.half() for name, tensor in build_random(architecture, seed=seed).state_dict().items()}
        hub = open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"]
        repository, _, file = hub.rpartition("/")
        files = self.repository(repository)
        if file:  # a pickle of tensors
            torch.save(state, files / file)
        else:
            contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
            save_file(contiguous, files / "open_clip_model.safetensors")
        return state

    def _add_tokenizer(self, repository: str) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        files = self.repository(repository)
        tokenizer.save(str(files / "tokenizer.json"))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 160, **SPECIAL}
        (files / "tokenizer_config.json").write_text(json.dumps(settings))
        if not (files / "config.json").is_file():
            (files / "config.json").write_text(json.dumps({"model_type": "roberta", **_ROBERTA}))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubCache]:
    """An empty cache in place of the user's; the hub is offline. What it held is gone afterwards, for it is large."""
    pytest.importorskip("transformers")
    import transformers.utils.hub

    folder = tmp_path / "hub"
    folder.mkdir()
    for module in (huggingface_hub.constants, transformers.utils.hub):
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(folder), raising=False)
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", True, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_HUB_CACHE", str(folder), raising=False)
    monkeypatch.setattr(transformers.utils.hub, "TRANSFORMERS_CACHE", str(folder), raising=False)  # before 5
    monkeypatch.setattr(transformers.utils.hub, "_is_offline_mode", True, raising=False)
    yield HubCache(folder)
    shutil.rmtree(folder)
