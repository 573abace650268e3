"""Image and text encoders of CLIP models behind one interface.

The names that need open_clip are imported when first used, because open_clip takes seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mkbench.backbones.base import AttentionPass, Backbone, PatchFeatures, RelevancePass, ValueFeatures
from mkbench.backbones.block_trace import BlockTrace, TracedBlock
from mkbench.backbones.geometry import Geometry
from mkbench.backbones.known_models import ModelEntry, find_model, model_entries

if TYPE_CHECKING:
    from mkbench.backbones.bpe_vocabulary import write_bpe
    from mkbench.backbones.loading import load_backbone
    from mkbench.backbones.local import save_local
    from mkbench.backbones.openclip import OpenClipBackbone

_LAZY = {
    "OpenClipBackbone": "mkbench.backbones.openclip",
    "load_backbone": "mkbench.backbones.loading",
    "save_local": "mkbench.backbones.local",
    "write_bpe": "mkbench.backbones.bpe_vocabulary",
}

__all__ = [
    "AttentionPass",
    "Backbone",
    "BlockTrace",
    "Geometry",
    "ModelEntry",
    "OpenClipBackbone",
    "PatchFeatures",
    "RelevancePass",
    "TracedBlock",
    "ValueFeatures",
    "find_model",
    "load_backbone",
    "model_entries",
    "save_local",
    "write_bpe",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
