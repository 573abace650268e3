"""Gradio, imported without its reports to the outside."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mkbench.errors import UsageError

#: Read when Gradio is imported: no report of what is used, and no question for a newer release.
_QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SHARE": "False", "GRADIO_SSR_MODE": "False"}

_FOLDER = "GRADIO_TEMP_DIR"


def require_gradio() -> None:
    """Check that Gradio is installed, without importing it.

    Raises:
        UsageError: it is not.
    """
    if find_spec("gradio") is None:
        raise UsageError("Expected Gradio, which the app is made with, found none; run `pip install 'mkbench[app]'`.")


def import_gradio(folder: Path) -> Any:
    """Return the module ``gradio``; it takes some of its settings when it is first imported.

    Args:
        folder: where it may put files.

    Raises:
        UsageError: it is not installed.
    """
    require_gradio()
    os.environ.update(_QUIET)
    os.environ[_FOLDER] = str(folder)
    return import_module("gradio")
