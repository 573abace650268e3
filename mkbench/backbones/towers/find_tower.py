"""Lookup of the adapter that shows over which attention heads a model's image embedding adds up."""

from collections.abc import Callable, Mapping
from typing import Any

from mkbench.backbones.base import Backbone
from mkbench.backbones.towers.attention_readers import RefusalError
from mkbench.backbones.towers.open_clip_towers import open_clip_tower
from mkbench.backbones.towers.residual_tower import ResidualTower
from mkbench.backbones.towers.timm_towers import REFUSED, timm_tower
from mkbench.errors import BackboneError


def _refuse_resnet(_: Any) -> ResidualTower:
    raise RefusalError(REFUSED["ResNet"])


ADAPTERS: Mapping[str, Callable[[Any], ResidualTower]] = {
    "VisionTransformer": open_clip_tower,
    "TimmModel": timm_tower,
    "ModifiedResNet": _refuse_resnet,
}


def find_tower(backbone: Backbone) -> ResidualTower:
    """Find out how the image tower of a model collects its embedding.

    Args:
        backbone: a model of open_clip, in evaluation mode.

    Raises:
        BackboneError: naming the model and the reason, if its embedding is no sum over attention heads.

    >>> from mkbench import load_backbone
    >>> tower = find_tower(load_backbone("ViT-S-32-alt", random_weights=True))
    >>> len(tower.layers), tower.layers[0].attention.num_heads, tower.rows
    (12, 6, slice(0, 1, None))
    """
    visual = getattr(getattr(backbone, "model", None), "visual", None)
    kinds = [kind.__name__ for kind in type(visual).__mro__ if kind.__name__ in ADAPTERS]
    try:
        if not kinds:
            raise RefusalError("it is no model of open_clip")
        return ADAPTERS[kinds[0]](visual)
    except RefusalError as refusal:
        raise BackboneError(
            f"The attention heads of {backbone.name} cannot be told apart: {refusal}; choose a vision transformer such "
            "as ViT-B-16."
        ) from None
