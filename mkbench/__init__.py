"""mkbench: benchmark of the knowledge that the image and text encoders of CLIP models share."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkbench.backbones.loading import load_backbone
    from mkbench.cli.functions import bench, predict
    from mkbench.runs.finished_runs import read_runs
    from mkbench.single_image import ImageExplainer, ImageExplanation, explain

__version__ = "0.1.0"
__all__ = ["ImageExplainer", "ImageExplanation", "bench", "explain", "load_backbone", "predict", "read_runs"]

_HOMES = dict.fromkeys(("ImageExplainer", "ImageExplanation", "explain"), "mkbench.single_image")
_HOMES |= dict.fromkeys(("bench", "predict"), "mkbench.cli.functions")
_HOMES["load_backbone"] = "mkbench.backbones.loading"
_HOMES["read_runs"] = "mkbench.runs.finished_runs"


def __getattr__(name: str) -> Any:
    # Imported on first use: `import mkbench` stays free of torch and open_clip.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
