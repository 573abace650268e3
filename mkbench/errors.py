"""Error classes of user mistakes; each message says what was expected, what was found and what to do."""

from collections.abc import Sequence
from difflib import get_close_matches

_NUM_SHOWN = 20


class MkbenchError(Exception):
    """An error that the command line shows as one sentence, without a traceback.

    The attribute ``exit_code`` is the exit code of the command: 1, a run that failed.
    """

    exit_code = 1


class UsageError(MkbenchError):
    """A wrong option, name or file name on the command line or in a configuration; exit code 2."""

    exit_code = 2


class DataError(MkbenchError):
    """A data set, concept bank or image that is not what it should be."""


class BackboneError(MkbenchError):
    """A model that cannot be loaded, or whose weights and configuration do not fit each other."""


class EndpointError(MkbenchError):
    """A language model that does not answer now."""


class MkbenchWarning(UserWarning):
    """What a user should know though the work goes on; the command line shows it as one sentence."""


def sentence(error: Exception) -> str:
    r"""Return what to show of an error; one that crossed from a worker process brings its traceback as text.

    >>> sentence(DataError("Caught DataError in DataLoader worker process 0.\nmkbench.errors.DataError: no image."))
    'no image.'
    """
    kind = type(error)
    lines = str(error).strip().splitlines() or [kind.__name__]
    return lines[-1].removeprefix(f"{kind.__module__}.{kind.__qualname__}: ")


def did_you_mean(name: str, known: list[str]) -> str:
    """Phrase the advice after an unknown name: the nearest known ones, or the first few when none is near.

    >>> did_you_mean("vit-b16", ["ViT-B-16", "RN50"])
    'did you mean ViT-B-16'
    >>> did_you_mean("?", ["b", "a"])
    'known are b, a'
    """
    folded = {candidate.lower(): candidate for candidate in reversed(known)}
    nearest = [folded[match] for match in get_close_matches(name.lower(), list(folded), n=3)]
    if nearest:
        return f"did you mean {' or '.join(nearest)}"
    return f"known are {name_some(known, shown=_NUM_SHOWN)}"


def name_some(names: Sequence[str], *, shown: int = 10) -> str:
    """Return names as one text: the first ones, and how many more there are.

    >>> name_some(["bat", "owl"])
    'bat, owl'
    >>> name_some(["a", "b", "c", "d"], shown=3)
    'a, b, c and 1 more'
    """
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
