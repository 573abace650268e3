"""Capabilities of open_clip architectures, found out without weights, memory or network."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import open_clip
import torch

from mkbench.backbones.base import Backbone
from mkbench.backbones.building import NO_TEXT
from mkbench.backbones.known_models import ModelEntry
from mkbench.backbones.local import read_config
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.backbones.towers.patch_readers import tower_reader
from mkbench.errors import BackboneError


@dataclass(frozen=True)
class Capabilities:
    """Capabilities of a model: patches, keys, attention, decomposable heads and texts.

    Attributes:
        image_size: side of the images, in pixels.
        grid: rows and columns of patches.
        class_token: whether the embedding is read from a class token.
        keys: whether patch features of kind ``"keys"`` can be read.
        attention: whether attention of every block can be read and masked behind a class token, as attention rollout,
            Grad-ECLIP, LeGrad, CLIP Surgery, AttnLRP and CCI need.
        heads: whether the embedding decomposes over attention heads.
        hugging_face: whether its texts need the extra ``hf``.
    """

    image_size: int
    grid: tuple[int, int]
    class_token: bool
    keys: bool
    attention: bool
    heads: bool
    hugging_face: bool


def entry_capabilities(entry: ModelEntry) -> Capabilities:
    """Find out what a model known by name, or a pair of open_clip, offers.

    Args:
        entry: the model.

    Raises:
        BackboneError: a bundled model is missing from the installation.

    >>> from mkbench.backbones.known_models import find_model
    >>> entry_capabilities(find_model("critters-vit-s")).attention
    True
    """
    if entry.bundled:
        return find_capabilities(read_config(entry.folder)["model_cfg"])
    return find_capabilities(open_clip.get_model_config(entry.architecture))


def find_capabilities(config: dict[str, Any]) -> Capabilities:
    """Build the image tower of a model configuration without weights, and ask it.

    Args:
        config: with ``embed_dim``, ``vision_cfg`` and ``text_cfg``, as ``open_clip.get_model_config`` gives it.

    Raises:
        BackboneError: if the image tower is of an unknown kind.

    >>> found = find_capabilities(open_clip.get_model_config("ViT-B-16-SigLIP2"))
    >>> found.grid, found.class_token, found.heads, found.hugging_face
    ((14, 14), False, True, True)
    """
    text = config["text_cfg"]
    with torch.device("meta"):
        vision = {**config["vision_cfg"], "timm_model_pretrained": False}
        model = open_clip.CustomTextCLIP(config["embed_dim"], vision, dict(NO_TEXT)).eval()
        reader = tower_reader(model.visual)
    size = model.visual.image_size
    return Capabilities(
        image_size=size if isinstance(size, int) else int(size[0]),
        grid=reader.grid,
        class_token="class_token" in reader.capabilities,
        keys="keys" in reader.capabilities,
        attention=bool(reader.attention_layers),
        heads=_decomposes(model),
        hugging_face=bool(text.get("hf_tokenizer_name") or text.get("hf_model_name")),
    )


def _decomposes(model: Any) -> bool:
    try:
        find_tower(cast(Backbone, SimpleNamespace(name="", model=model)))
    except BackboneError:
        return False
    return True
