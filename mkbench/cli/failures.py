"""Failures of a model in a sentence, and the option that shows where they happened."""

import os
from collections.abc import Sequence

from mkbench.errors import MkbenchError, sentence

_OPTION = "--debug"
#: So that the processes that a command starts know of it too.
_VARIABLE = "MKBENCH_DEBUG"
#: In messages of PyTorch, on a GPU and on the CPU, in small letters.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def take_debug(words: Sequence[str]) -> list[str]:
    """Return the words of a command without ``--debug``, which may stand anywhere, and remember it.

    >>> take_debug(["demo", "--out", "runs"])
    ['demo', '--out', 'runs']
    """
    if _OPTION in words:
        os.environ[_VARIABLE] = "1"
    return [word for word in words if word != _OPTION]


def is_debugging() -> bool:
    """Tell whether tracebacks are wanted.

    >>> is_debugging()
    False
    """
    return bool(os.environ.get(_VARIABLE))


def describe_failure(error: Exception) -> str:
    """Say what a model failed with, and what can be done about it.

    >>> describe_failure(MemoryError("Unable to allocate 4 GiB"))
    'out of memory (Unable to allocate 4 GiB); give a smaller --model.encoder_chunk or --data.group_size.'
    >>> describe_failure(ValueError("no such layer"))
    'no such layer (ValueError, which nothing here expects; --debug shows where it comes from).'
    """
    if isinstance(error, MkbenchError):
        return sentence(error)
    said = str(error).strip().splitlines() or [""]
    if isinstance(error, MemoryError) or any(words in said[0].lower() for words in _OUT_OF_MEMORY):
        return f"out of memory ({said[0]}); give a smaller --model.encoder_chunk or --data.group_size."
    kind = type(error).__name__
    return f"{sentence(error).rstrip('.')} ({kind}, which nothing here expects; {_OPTION} shows where it comes from)."
