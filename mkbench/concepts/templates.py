"""Prompt templates: texts with a place for the name or descriptor that they are filled with."""

import re
from collections.abc import Sequence

from mkbench.errors import UsageError

PLACE = "{}"


def is_template(text: str, places: Sequence[str] = (PLACE,)) -> bool:
    """Say whether a text holds every place exactly once, and no braces beside them.

    >>> [is_template(text) for text in ("a photo of {}", "a photo", "{} and {}", "{c}", "{} of {c}")]
    [True, False, False, False, False]
    >>> is_template("a {class} with {descriptor}", ["{class}", "{descriptor}"])
    True
    """
    rest = re.sub("|".join(map(re.escape, places)), "", text)
    return all(text.count(place) == 1 for place in places) and not re.search("[{}]", rest)


def require_template(option: str, text: str, places: Sequence[str] = (PLACE,)) -> None:
    """Check a template that a user gives.

    Args:
        option: what the user calls it.
        text: the template.
        places: what it has to hold.

    Raises:
        UsageError: a place is missing or there twice, or there are other braces.

    >>> require_template("--model.descriptor_template", "a photo showing {}")
    """
    if not is_template(text, places):
        raise UsageError(
            f"Expected {option} to hold {' and '.join(places)} exactly once{' each' if len(places) > 1 else ''} and no "
            f"other braces, found {text!r}; correct the template."
        )
