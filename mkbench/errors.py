"""The errors a user can cause; each message says what was expected, what was found and what to do."""


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


def sentence(error: Exception) -> str:
    r"""Return what to show of an error; one that crossed from a worker process brings its traceback as text.

    >>> sentence(DataError("Caught DataError in DataLoader worker process 0.\nmkbench.errors.DataError: no image."))
    'no image.'
    """
    kind = type(error)
    lines = str(error).strip().splitlines() or [kind.__name__]
    return lines[-1].removeprefix(f"{kind.__module__}.{kind.__qualname__}: ")
