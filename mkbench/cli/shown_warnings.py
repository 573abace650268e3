"""Warnings on the console, as one sentence each."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mkbench.cli.stopping import is_stopping
from mkbench.errors import MkbenchWarning


@contextmanager
def warnings_as_sentences() -> Iterator[None]:
    r"""Show warnings of mkbench without the place in the code that they come from; those of other packages as ever.

    >>> with warnings_as_sentences():
    ...     warnings.formatwarning("A figure was left out.", MkbenchWarning, "writer.py", 7)
    'mkbench: A figure was left out.\n'
    """
    usual = warnings.formatwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if is_stopping():  # what follows from the stop is no news
            return ""
        if issubclass(category, MkbenchWarning):
            return f"mkbench: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = show
    try:
        yield
    finally:
        warnings.formatwarning = usual
