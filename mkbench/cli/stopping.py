"""Stop on SIGTERM or Ctrl-C: what is finished is kept, and the same command goes on later."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Exit codes by the convention of shells: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
#: Seconds that are left for tidying up after SIGTERM.
GRACE = 8.0


class Terminated(KeyboardInterrupt):
    """Interrupt by SIGTERM: stop like after Ctrl-C, which no handler of failures takes for one."""


class _Stop:
    """State of the process: who owns the handler, whether SIGTERM has come, and who watched child processes before."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.timer: threading.Timer | None = None
        self.starting = False
        self.watch: Any = None

    def receive(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self.owner:  # a worker that was forked from the owner has nothing to tidy up
            os._exit(TERMINATED)
        if self.starting:  # a second signal while the timer of the first one starts, which an exception would break
            return
        if self.timer is None:
            self.starting = True
            self.timer = threading.Timer(GRACE, os._exit, (TERMINATED,))
            self.timer.daemon = True
            self.timer.start()
            self.starting = False
            # `timeout` and schedulers signal the whole process group: that the workers of a DataLoader end is no fault
            self.watch = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise Terminated

    def forget(self) -> None:
        """Go back to before SIGTERM, for a process that lives on, such as that of a notebook."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            signal.signal(signal.SIGCHLD, self.watch)


_stop = _Stop()


def stop_on_sigterm() -> None:
    """Let SIGTERM raise ``Terminated`` in the main thread; other threads cannot set handlers and change nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop.receive)


def raise_if_stopping() -> None:
    """Raise again what was lost, because SIGTERM came while a finaliser ran, whose exceptions Python only prints.

    Raises:
        Terminated: SIGTERM has come.
    """
    if _stop.timer is not None:
        raise Terminated


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM stop what runs inside, at the latest after ``GRACE`` seconds; handlers are as before at the end."""
    before = signal.getsignal(signal.SIGTERM)
    _stop.owner = os.getpid()
    stop_on_sigterm()
    try:
        yield
    finally:
        _stop.forget()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def say_stopped(reason: BaseException | None) -> tuple[str, int]:
    """Return the sentence and the exit code after a stop.

    >>> say_stopped(Terminated())
    ('stopped by SIGTERM; what is finished is kept, and the same command goes on from there', 143)
    """
    if isinstance(reason, Terminated):
        return "stopped by SIGTERM; what is finished is kept, and the same command goes on from there", TERMINATED
    return "interrupted; the finished class groups are kept", INTERRUPTED
