"""Options of the commands that ask a language model."""

import argparse
from typing import Any

from mkbench.language_models.endpoint import Endpoint


def add_endpoint_options(parser: Any) -> None:
    """Add ``--base-url`` and ``--api-key-variable`` to a parser or a group of one."""
    parser.add_argument("--base-url", metavar="URL", help="endpoint of the language model; None is OpenAI's")
    parser.add_argument("--api-key-variable", metavar="NAME", help="environment variable with the key of the endpoint")


def make_endpoint(model: str, options: argparse.Namespace) -> Endpoint:
    """Return the endpoint of a language model.

    Args:
        model: the model, as its endpoint calls it.
        options: with what ``add_endpoint_options`` added.

    Raises:
        UsageError: an address with a name or password.

    >>> make_endpoint("llama", argparse.Namespace(base_url="http://localhost:8000/v1", api_key_variable=None)).address
    'http://localhost:8000/v1'
    """
    others = {"base_url": options.base_url, "api_key_variable": options.api_key_variable}
    return Endpoint(model, **{name: value for name, value in others.items() if value is not None})
