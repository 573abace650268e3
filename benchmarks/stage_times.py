"""Time of the pipeline's stages on the clock, and the CPU time of the thread that calls them."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mkbench.systems.timing import StageClock


class StageTimes(StageClock):
    """Adds up the time of every stage, and the CPU time that the calling thread took for it.

    With one thread of torch that is the CPU time of the stage: what another thread draws meanwhile is not counted.

    Args:
        device: where the work is done.

    >>> times = StageTimes(torch.device("cpu"))
    >>> with times("render"):
    ...     pass
    >>> list(times.seconds) == list(times.cpu_seconds)
    True
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.cpu_seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        start = time.thread_time()
        with super().__call__(stage):
            yield
        self.cpu_seconds[stage] += time.thread_time() - start

    def cpu_ms(self, shares: int) -> dict[str, float]:
        """Return milliseconds of CPU time of every stage, divided by a number of images or runs."""
        return {name: round(value * 1e3 / shares, 3) for name, value in self.cpu_seconds.items()}
