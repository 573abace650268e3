"""Cache of text embeddings on disk, so that a concept bank is encoded once and not in every run."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mkbench.atomic_files import written_whole
from mkbench.backbones import Backbone
from mkbench.backbones.finite import require_finite_embeddings
from mkbench.concepts import bank_embeddings, class_embeddings
from mkbench.errors import MkbenchWarning
from mkbench.progress import late_bar
from mkbench.text_files import parse_json

_META_KEY = "mkbench"


def cache_folder(choice: str, holds: str = "text") -> Path | None:
    """Return the folder that an option names.

    Args:
        choice: ``auto`` for the user's cache folder (``$XDG_CACHE_HOME/mkbench/text``), ``off`` for none, or a folder.
            A user without a home has no cache folder.
        holds: what is kept there, the last part of the user's cache folder.

    >>> cache_folder("off") is None, cache_folder("embeddings").name
    (True, 'embeddings')
    """
    if choice == "off":
        return None
    if choice == "auto":
        home = os.path.expanduser("~")
        given = os.environ.get("XDG_CACHE_HOME") or (None if home == "~" else os.path.join(home, ".cache"))
        return None if given is None else Path(given) / "mkbench" / holds
    return Path(os.path.expanduser(choice))


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


@dataclass(frozen=True)
class TextCache:
    """Embeddings of texts in templates, one safetensors file for each model, list of texts and list of templates.

    A file is used only if it says itself that it holds what is asked for, and its content has the hash it names; any
    other file is computed again and replaced.

    Args:
        folder: where the files lie; None keeps nothing.
    """

    folder: Path | None

    def embed_classes(self, backbone: Backbone, class_names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Return (Y, d) unit rows, the prompt ensemble of every class; see ``mkbench.concepts.class_embeddings``."""

        def compute() -> Tensor:
            with _counted(backbone, class_names, templates) as report:
                return class_embeddings(backbone, class_names, templates, report=report)

        return self.embed(backbone, class_names, templates, compute)

    def embed_bank(self, backbone: Backbone, texts: Sequence[str], template: str) -> Tensor:
        """Return (T, d) unit rows, each text in a template; see ``mkbench.concepts.bank_embeddings``."""

        def compute() -> Tensor:
            with _counted(backbone, texts, [template]) as report:
                return bank_embeddings(backbone, texts, template, report=report)

        return self.embed(backbone, texts, [template], compute)

    def embed(
        self,
        backbone: Backbone,
        texts: Sequence[str],
        templates: Sequence[str],
        compute: Callable[[], Tensor],
    ) -> Tensor:
        """Return embeddings from the cache, or compute and keep them.

        ``backbone.truncated_texts`` grows by the texts that were truncated, whether now or when the file was made.

        Args:
            backbone: the model, whose fingerprint and tokens are part of the key.
            texts: T texts.
            templates: templates that ``compute`` puts them into.
            compute: returns the (T, d) float32 embeddings.

        Returns:
            (T, d) float32 on the backbone's device.
        """
        if self.folder is None:
            return compute()
        key = {
            "fingerprint": backbone.fingerprint,
            "texts": hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest(),
            "templates": list(templates),
            "tokens": backbone.token_digest(_filled(texts, templates)),
            # How batches are made moves the last digits; files of another way are not mixed with these.
            "batches": "by length, cut to the longest",
        }
        path = self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.safetensors"
        shape = (len(texts), backbone.embed_dim)
        kept = _read(path, key, shape) if path.is_file() else None
        if kept is not None:
            embeddings, truncated = kept
            backbone.truncated_texts += truncated
            return embeddings.to(backbone.device)
        before = backbone.truncated_texts
        computed = compute()
        require_finite_embeddings(computed, list(texts), model=backbone.name)
        _write(path, computed.cpu(), key | {"truncated": backbone.truncated_texts - before})
        return computed


def _filled(texts: Sequence[str], templates: Sequence[str]) -> list[str]:
    return [template.replace("{}", text) for text in texts for template in templates]


def _counted(
    backbone: Backbone, texts: Sequence[str], templates: Sequence[str]
) -> AbstractContextManager[Callable[[int], None]]:
    """Count texts on a bar; each distinct one is encoded once."""
    return late_bar(f"{backbone.name}: encoding", "texts,", total=len(set(_filled(texts, templates))))


def _read(path: Path, key: dict[str, Any], shape: tuple[int, int]) -> tuple[Tensor, int] | None:
    """Return embeddings and how many texts were truncated; warn and return None if the file holds anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            said = parse_json((file.metadata() or {}).get(_META_KEY, "{}"))
            embeddings: Tensor = file.get_tensor("embeddings")
        fits = {name: said[name] for name in key} == key and tuple(embeddings.shape) == shape
        if fits and embeddings.dtype == torch.float32 and _digest(embeddings) == said["sha256"]:
            return embeddings, int(said["truncated"])
        found = "other embeddings"
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        found = f"a damaged file ({error})"
    warnings.warn(
        f"Expected the text embeddings of this model in {path}, found {found}; computing them again.",
        MkbenchWarning,
        stacklevel=3,
    )
    return None


def _write(path: Path, embeddings: Tensor, key: dict[str, Any]) -> None:
    """Write the file whole or not at all; a cache that cannot be written costs time and no run."""
    meta = json.dumps(key | {"sha256": _digest(embeddings)})
    try:
        with written_whole(path) as temporary:
            temporary.write_bytes(save({"embeddings": embeddings.contiguous()}, metadata={_META_KEY: meta}))
    except OSError as error:
        warnings.warn(
            f"Expected to keep text embeddings in {path.parent}, found that it cannot be written "
            f"({error.strerror or error}); they are computed in every run. Give a folder with --model.text_cache.",
            MkbenchWarning,
            stacklevel=3,
        )
