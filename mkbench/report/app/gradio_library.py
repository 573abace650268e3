"""Gradio, imported without its reports to the outside."""

import os
from importlib import import_module
from typing import Any

from mkbench.errors import UsageError

#: Read when Gradio is imported: no report of what is used, and no question for a newer release.
_QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SHARE": "False", "GRADIO_SSR_MODE": "False"}


def import_gradio() -> Any:
    """Return the module ``gradio``.

    Raises:
        UsageError: it is not installed.
    """
    os.environ.update(_QUIET)
    try:
        return import_module("gradio")
    except ImportError as error:
        raise UsageError(
            "Expected Gradio, which the app is made with, found none; run `pip install 'mkbench[app]'`."
        ) from error
