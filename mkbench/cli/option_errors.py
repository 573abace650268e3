"""Sentences for options that do not fit: the reason of the parser in one line, with the nearest known option."""

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from inspect import Parameter, signature

from mkbench.errors import MkbenchError, UsageError

#: Lines in which jsonargparse repeats what it was given; the reason stands in the others.
_REPETITIONS = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[\w.\-]+)")
_NOT_ACCEPTED = re.compile(r"class_path '([\w.]+)': Option '([\w.]+)' is not accepted")


def one_line(message: str) -> str:
    r"""Return the reason in a message of jsonargparse as one line.

    >>> one_line("Parser key 'model':\n  Errors:\n    - Option 'pol' is not accepted\n  Given value: {}")
    "Parser key 'model': Option 'pol' is not accepted"
    """
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(_REPETITIONS)).rstrip(".")


def own_error(error: BaseException) -> MkbenchError:
    """Return the mkbench error behind another one, or a usage error with the reason that was given first.

    >>> own_error(ValueError("num_parts must be at least 1, found 0"))
    UsageError('Expected options that fit, found: num_parts must be at least 1, found 0; correct the option.')
    """
    first = error
    while first.__cause__ is not None and not isinstance(first, MkbenchError):
        first = first.__cause__
    if isinstance(first, MkbenchError):
        return first
    return UsageError(f"Expected options that fit, found: {one_line(str(first))}; correct the option.")


def nearest_option(message: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?", or nothing where no option is near the one that a message refuses.

    Args:
        message: of the parser, in one line.
        known: option strings of the parser, such as ``--trainer.devices``; those of a class are read from the class.

    >>> nearest_option("unrecognized arguments: --trainer.devicess=3", ["--trainer.devices"])
    '; did you mean --trainer.devices?'
    >>> nearest_option("class_path 'mkbench.errors.UsageError': Option 'pol' is not accepted", [])
    ''
    """
    unknown, refused = _UNKNOWN.search(message), _NOT_ACCEPTED.search(message)
    if unknown:
        nearest = get_close_matches(unknown[1], list(known), n=1)
    elif refused:
        nearest = get_close_matches(refused[2], _parameters(refused[1]), n=1)
    else:
        nearest = []
    return f"; did you mean {nearest[0]}?" if nearest else ""


def path_parameters(class_path: str) -> set[str]:
    """Return the names of the options of an imported class that take a path, be it as a ``str``."""
    return {each.name for each in _own_parameters(class_path) if "Path" in str(each.annotation)}


def _parameters(class_path: str) -> list[str]:
    """Return the names of the options of a class that the parser has imported, those of its base classes too."""
    return [each.name for each in _own_parameters(class_path)]


def _own_parameters(class_path: str) -> list[Parameter]:
    module, _, name = class_path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    classes = found.__mro__ if isinstance(found, type) else ()
    makers = [vars(each)["__init__"] for each in classes if callable(vars(each).get("__init__")) and each is not object]
    return [parameter for maker in makers for parameter in signature(maker).parameters.values()]
