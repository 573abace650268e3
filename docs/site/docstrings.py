"""Griffe extension: docstrings of this project as mkdocstrings reads them."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class ProjectDocstrings(Extension):
    """Makes examples a section, wherever they stand, and code of the roles of Sphinx."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = rewrite(obj.docstring.value)


def rewrite(text: str) -> str:
    r"""Rewrite a docstring.

    >>> rewrite("Half of :func:`whole`.\n\n>>> half(2)\n1")
    'Half of `whole`.\n\nExamples:\n    >>> half(2)\n    1'
    """
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text)
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)
    paragraphs = text.split("\n\n")
    return "\n\n".join(map(_as_section, paragraphs))


def _as_section(paragraph: str) -> str:
    lines = paragraph.split("\n")
    return "\n".join(["Examples:", *(f"    {line}" for line in lines)]) if paragraph.startswith(">>> ") else paragraph
