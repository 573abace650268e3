"""All pairs of an architecture and a tag of weights that open_clip publishes."""

from typing import Any

import open_clip

from mkbench.backbones.known_models import Family, ModelEntry, model_entries
from mkbench.backbones.openclip import check_activation
from mkbench.errors import BackboneError

#: How the names of timm's trunks begin, by the family that tables call them.
_TRUNKS: dict[str, Family] = {"convnext": "ConvNeXt", "fastvit": "FastViT", "vitamin": "ViTamin"}


def open_clip_pairs() -> tuple[ModelEntry, ...]:
    """List every pair of open_clip, in its order; pairs that have a name of their own stand under it.

    The note of a pair that ``load_backbone`` refuses says why.

    >>> entries = open_clip_pairs()
    >>> entries[-1].name, entries[-1].family
    ('vit-h-14-metaclip2', 'ViT')
    """
    named = {(entry.architecture, entry.pretrained): entry for entry in model_entries()}
    return tuple(named.get(pair) or _entry(*pair) for pair in map(tuple, open_clip.list_pretrained()))


def _entry(architecture: str, tag: str) -> ModelEntry:
    try:
        check_activation(architecture, tag)
        note = ""
    except BackboneError as refusal:
        note = f"Refused: {refusal}"
    family = tower_family(open_clip.get_model_config(architecture))
    return ModelEntry(f"{architecture},{tag}", "", architecture, tag, family, (), note)


def tower_family(config: dict[str, Any]) -> Family:
    """Tell the family of a model configuration's image tower.

    >>> tower_family({"vision_cfg": {"timm_model_name": "fastvit_mci4"}})
    'FastViT'
    """
    vision = config["vision_cfg"]
    if isinstance(vision.get("layers"), list | tuple):
        return "ResNet"
    trunk = str(vision.get("timm_model_name", ""))
    return next((family for prefix, family in _TRUNKS.items() if trunk.startswith(prefix)), "ViT")
