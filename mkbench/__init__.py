"""mkbench: benchmark of the knowledge that the image and text encoders of CLIP models share."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkbench.backbones.loading import load_backbone
    from mkbench.cli.functions import bench, predict, read_runs
    from mkbench.single_image import ImageExplainer, ImageExplanation, explain

# The library of the Hugging Face hub reads these once, when it is imported: without them it reports each download.
for _variable in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_variable, "1")

__version__ = "0.1.0"
__all__ = ["ImageExplainer", "ImageExplanation", "bench", "explain", "load_backbone", "predict", "read_runs"]

_HOMES = dict.fromkeys(("ImageExplainer", "ImageExplanation", "explain"), "mkbench.single_image")
_HOMES |= dict.fromkeys(("bench", "predict", "read_runs"), "mkbench.cli.functions")
_HOMES["load_backbone"] = "mkbench.backbones.loading"


def __getattr__(name: str) -> Any:
    # Imported on first use: `import mkbench` stays free of torch and open_clip.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
