"""The sentence for a worker process that died while it read images."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mkbench.cli.stopping import Terminated
from mkbench.errors import MkbenchError

#: How torch begins what it says of a worker that ended without an exception.
_DEAD = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?P<how>.+?)(?:\. |\.?$)")


@contextmanager
def dead_workers_explained() -> Iterator[None]:
    """Raise one sentence in the place of what torch says of a worker process that died, from whatever line.

    Raises:
        MkbenchError: a worker died.
        Terminated: a worker was ended by SIGTERM, which is for the command.

    >>> with dead_workers_explained():
    ...     raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mkbench.errors.MkbenchError: Expected ... found one that is killed by signal: Killed; ...
    """
    try:
        yield
    except RuntimeError as error:  # torch raises it from the handler of SIGCHLD, wherever the main thread is
        dead = _DEAD.match(str(error))
        if dead is None:
            raise
        if dead["how"].endswith("signal: Terminated"):  # SIGTERM to the process group reaches the workers too
            raise Terminated from error
        raise MkbenchError(
            f"Expected the processes that read images to end well, found one that {dead['how']}; most often memory or "
            "/dev/shm is full: free some, give fewer --data.num_workers (0 reads in the process of the model), or "
            "start the container with more, such as `docker run --shm-size=2g`, then run the same command again."
        ) from error
