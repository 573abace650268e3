"""What the image and text encoders of a CLIP model know in common."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkbench.backbones.loading import load_backbone

__version__ = "0.1.0"
__all__ = ["load_backbone"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `import mkbench` stays free of torch and open_clip.
    if name != "load_backbone":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("mkbench.backbones.loading").load_backbone
