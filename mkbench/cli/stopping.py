"""Stop on SIGTERM or Ctrl-C: what is finished is kept, and the same command goes on later."""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mkbench.cli.global_options import take_values
from mkbench.errors import UsageError, did_you_mean

#: Exit codes by the convention of shells: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
#: Seconds that are left for tidying up after SIGTERM.
GRACE = 8.0
_OPTION = "--stop-signal"
#: Signals that may stop a command as SIGTERM does: those that are free for a user's own ends.
_CHOICES = {"SIGUSR1": signal.SIGUSR1, "SIGUSR2": signal.SIGUSR2}
#: Rank of a process among those of one command, by torchrun, Lightning and SLURM.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
#: Set in a process that a bench started, which says how the whole command ended.
_SILENT = "MKBENCH_SILENT_STOP"


class Terminated(KeyboardInterrupt):
    """Interrupt by SIGTERM, or the signal it names; like Ctrl-C, no handler of failures takes it for one."""


class _Stop:
    """State of the process: who owns the handlers, which signals stop it, whether one came and was reported."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.active = False
        self.watched: list[subprocess.Popen[bytes]] = []
        self.ending: list[subprocess.Popen[bytes]] = []
        self.signals = [signal.SIGTERM]
        self.timer: threading.Timer | None = None
        self.name = ""
        self.reported = False
        self.watch: Any = None

    def receive(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self.owner:  # a worker that was forked from the owner has nothing to tidy up
            if signum == signal.SIGTERM:
                os._exit(TERMINATED)
            return  # schedulers send other signals to all processes of a job: the owner ends its workers
        if self.timer is not None or self.reported:  # a second signal must not break the tidying up after the first
            return
        self.take_devices()
        self.name = signal.Signals(signum).name
        self.timer = threading.Timer(GRACE, self.give_up)
        self.timer.daemon = True
        self.timer.start()
        # `timeout` and schedulers signal the whole process group: that the workers of a DataLoader end is no fault
        self.watch = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise Terminated(self.name)

    def take_devices(self) -> None:
        """Take the processes of other devices from their observer, which would kill this one when the first ends."""
        self.ending += self.watched
        self.watched.clear()

    def end_devices(self) -> None:
        """End those processes: they may wait for this one in a collective, where no signal but SIGKILL reaches them."""
        for process in self.ending:
            process.kill()

    def give_up(self) -> None:
        """End the process at once, whatever it is doing."""
        report_stop(Terminated(self.name))
        os._exit(TERMINATED)

    def forget(self) -> None:
        """Go back to before SIGTERM, for a process that lives on, such as that of a notebook."""
        self.signals, self.reported = [signal.SIGTERM], False
        self.watched, self.ending = [], []
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            signal.signal(signal.SIGCHLD, self.watch)


_stop = _Stop()


def take_stop_signal(words: Sequence[str]) -> list[str]:
    """Let the signal stop this command that ``--stop-signal`` names, as SIGTERM does; return the other words.

    Raises:
        UsageError: another signal than the two that are free for it.

    >>> take_stop_signal(["demo", "--out", "runs"])
    ['demo', '--out', 'runs']
    """
    names, rest = take_values(words, _OPTION)
    for name in names:
        if name not in _CHOICES:
            near = did_you_mean(name, list(_CHOICES))
            raise UsageError(f"Expected a signal after {_OPTION} that is free for it, found {name!r}; {near}.")
        _stop.signals.append(_CHOICES[name])
    stop_on_signals()
    return rest


def stop_words() -> list[str]:
    """Return the words by which another process is stopped by the same signals.

    >>> stop_words()
    []
    """
    return [f"{_OPTION}={number.name}" for number in _stop.signals if number != signal.SIGTERM]


def silent_environment() -> dict[str, str]:
    """Return the environment of a process that leaves it to this one to say that it was stopped."""
    return {**os.environ, _SILENT: "1"}


def stop_on_signals() -> None:
    """Let the signals raise ``Terminated`` within ``stoppable``; other threads than the main one change nothing."""
    if _stop.active and threading.current_thread() is threading.main_thread():
        for number in _stop.signals:
            signal.signal(number, _stop.receive)


def stop_with(devices: list[subprocess.Popen[bytes]]) -> None:
    """Keep a stop from being reported as a kill: take over the processes of other devices when it comes.

    Args:
        devices: the list that Lightning's observer looks at every 5 seconds; it kills this process too where it finds
            that one of them has ended. It is emptied when a stop comes.
    """
    if _stop.active:  # elsewhere nobody calls ``report_stop``, and Lightning ends them
        _stop.watched = devices


def take_devices() -> None:
    """Empty the list that ``stop_with`` was given, as a signal does; ``report_stop`` ends what was in it."""
    _stop.take_devices()


def is_stopping() -> bool:
    """Tell whether SIGTERM has come.

    >>> is_stopping()
    False
    """
    return _stop.timer is not None


def raise_if_stopping() -> None:
    """Raise again what was lost, because SIGTERM came while a finaliser ran, whose exceptions Python only prints.

    Raises:
        Terminated: SIGTERM has come.
    """
    if _stop.timer is not None:
        raise Terminated(_stop.name)


@contextmanager
def stop_before_faults() -> Iterator[None]:
    """Raise the stop again where an error comes after it: C code turns the exception of a signal into one of its own.

    Raises:
        Terminated: SIGTERM has come.
    """
    try:
        yield
    except Exception:
        raise_if_stopping()
        raise


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM stop what runs inside, at the latest after ``GRACE`` seconds; handlers are as before at the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, *_CHOICES.values())}
    _stop.owner, _stop.active, outer = os.getpid(), True, _stop.active
    hook = sys.unraisablehook

    def show(raised: Any) -> None:
        if _stop.timer is None:  # a stop that came in a finaliser, or after a fork, is raised again later
            hook(raised)

    sys.unraisablehook = show
    stop_on_signals()
    try:
        yield
    finally:
        _stop.forget()
        _stop.active = outer
        sys.unraisablehook = hook
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def report_stop(reason: BaseException | None) -> int:
    """Say once, in one of the processes of a command, that it was stopped; return the exit code."""
    _stop.end_devices()
    said, exit_code = say_stopped(reason)
    _stop.reported, before = True, _stop.reported
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    if rank == "0" and _SILENT not in os.environ and not before:
        print(f"mkbench: {said}.", file=sys.stderr, flush=True)
    return exit_code


def say_stopped(reason: BaseException | None) -> tuple[str, int]:
    """Return the sentence and the exit code after a stop.

    >>> say_stopped(Terminated("SIGUSR1"))
    ('stopped by SIGUSR1; what is finished is kept, and the same command goes on from there', 143)
    """
    if isinstance(reason, Terminated):
        name = reason.args[0] if reason.args else "SIGTERM"
        return f"stopped by {name}; what is finished is kept, and the same command goes on from there", TERMINATED
    return "interrupted; the finished class groups are kept", INTERRUPTED


def leave(exit_code: int) -> None:
    """End a stopped process without taking Python apart, which takes seconds on a busy machine."""
    atexit._run_exitfuncs()  # worker processes are ended and joined by one of them
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
