"""Sentence encoders of the library `transformers`, for texts that no CLIP model reads."""

from typing import Any

import torch
from torch import Tensor

from mkbench.errors import BackboneError, UsageError

#: What a name begins with that is one of `transformers`.
PREFIX = "hf:"


class SentenceEncoder:
    """A text model whose embedding of a sentence is the mean over its tokens, padding left out.

    Source: the pooling of Reimers & Gurevych, EMNLP 2019, arXiv 1908.10084. Code that comes with weights is never run,
    and weights that are not safetensors are never read.

    Args:
        name: a folder, or a repository of the hub, such as ``sentence-transformers/all-MiniLM-L6-v2``.

    Raises:
        UsageError: the library is not installed.
        BackboneError: the model cannot be had.
    """

    def __init__(self, name: str) -> None:
        try:
            from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                "Expected the library `transformers` for a sentence encoder, found none; install it with "
                "pip install 'mkbench[hf]', or name a CLIP model with --encoder."
            ) from error
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            self._model: Any = AutoModel.from_pretrained(name, trust_remote_code=False, use_safetensors=True).eval()
        except (OSError, ValueError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise BackboneError(
                f"Expected a text model of `transformers` with safetensors at {name}, found none ({said[0]}); check "
                "--encoder."
            ) from error

    @torch.no_grad()
    def encode_text(self, texts: list[str], /) -> Tensor:
        """Encode T texts into (T, d) embeddings, not normalised."""
        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        states: Tensor = self._model(**tokens).last_hidden_state  # (texts, tokens, dim)
        real = tokens["attention_mask"][..., None].to(states)
        means: Tensor = (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        return means
