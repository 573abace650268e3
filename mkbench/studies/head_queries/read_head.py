"""Reading of a head's layer and number from text."""

import re

from mkbench.errors import UsageError


def read_head(text: str) -> tuple[int, int]:
    """Return the layer and the head that an option names.

    Raises:
        UsageError: it names none.

    >>> read_head("3.2")
    (3, 2)
    """
    if not re.fullmatch(r"[0-9]+\.[0-9]+", text):
        raise UsageError(f"Expected --head LAYER.HEAD, both numbers from 0, such as 3.2, found {text!r}; correct it.")
    layer, head = text.split(".")
    return int(layer), int(head)
