"""Construction of open_clip models at random weights, or with the weights of a file."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch

from mkbench.backbones.deferred_text import DeferredTextTower, has_hugging_face_text, refusing_code
from mkbench.backbones.weights import fit_state, load_weights, read_state

#: The smallest text and image tower that open_clip builds, in place of the one that is not wanted.
NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}
_NO_VISION = {"image_size": 8, "patch_size": 8, "width": 8, "head_width": 8, "layers": 1}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw random weights from a seed; the caller's random state is as before afterwards.

    >>> before = torch.random.get_rng_state()
    >>> with seeded(0):
    ...     _ = torch.rand(3)
    >>> torch.equal(before, torch.random.get_rng_state())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # weights are drawn on the CPU; leave the other devices alone
        yield


def build_random(name: str, *, seed: int = 0, preprocess: Mapping[str, Any] | None = None) -> Any:
    """Build an open_clip model at random weights; the caller's random state is left alone.

    Args:
        name: an architecture of open_clip, or ``local-dir:`` and a model folder.
        seed: of the weights.
        preprocess: resizing and normalisation in place of the configuration's.

    Raises:
        Exception: whatever open_clip, timm or transformers raise.
    """
    with seeded(seed):
        model = _create(name, force_preprocess_cfg=preprocess)
        if hasattr(model, "text_decoder"):  # open_clip leaves this weight of CoCa as the memory was
            projection = model.text_decoder.text_projection
            torch.nn.init.normal_(projection, std=projection.shape[0] ** -0.5)
    return model


def build_with_weights(name: str, path: str | Path, *, preprocess: Mapping[str, Any] | None = None) -> Any:
    """Build an open_clip model with the weights of a file, without unpickling code; fp16 becomes fp32.

    A text tower of Hugging Face is not built, only its weights are kept, until the first text is encoded.

    Args:
        name: an architecture of open_clip, or ``local-dir:`` and a model folder.
        path: the state dict.
        preprocess: resizing and normalisation in place of the configuration's.

    Raises:
        BackboneError: if the weights do not fit the architecture.
        Exception: whatever open_clip, timm or safetensors raise.
    """
    deferred = has_hugging_face_text(open_clip.get_model_config(name))
    towers = {"text_cfg": dict(NO_TEXT)} if deferred else {}
    with seeded(0):  # weights that are drawn only to be overwritten
        model = _create(name, force_preprocess_cfg=preprocess, **towers)
    state = read_state(path)
    if deferred:
        state = fit_state(state, model)
        text = {key.removeprefix("text."): tensor for key, tensor in state.items() if key.startswith("text.")}
        model.text = DeferredTextTower(text, partial(_build_text_tower, name), source=str(path))
    load_weights(model, state, source=str(path))
    return model


def _build_text_tower(name: str) -> torch.nn.Module:
    with seeded(0):
        tower: torch.nn.Module = _create(name, vision_cfg=dict(_NO_VISION)).text
    return tower


def _create(name: str, **options: Any) -> Any:
    """Create a model without any pretrained weights, and without open_clip's warning that it has none."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with refusing_code(f"The text tower of {name}"):
            return open_clip.create_model(
                name, load_weights=False, pretrained_image=False, pretrained_text=False, **options
            )
    finally:
        logging.disable(before)
