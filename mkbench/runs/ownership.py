"""Ownership of a run folder: a lock file that one process holds while it writes there."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from mkbench.errors import UsageError
from mkbench.text_files import parse_json

LOCK = "run.lock"


@dataclass(frozen=True)
class Owner:
    """A process that writes to a run folder.

    Attributes:
        host: name of its machine.
        pid: its number there.
        started: when the operating system started it, to tell it from a later process of the same number; empty where
            that cannot be told.
        since: when it took the folder, for messages.
    """

    host: str
    pid: int
    started: str
    since: str

    @classmethod
    def this_process(cls) -> "Owner":
        """Return the process that asks."""
        now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
        return cls(socket.gethostname(), os.getpid(), _start_of(os.getpid()), now)

    def is_gone(self) -> bool:
        """Tell whether the process has certainly ended; of another machine's nothing is known."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:  # another user's, so it runs
            pass
        return self.pid == os.getpid() or _start_of(self.pid) != self.started


def take_ownership(run: Path, *, take_over: bool = False) -> None:
    """Take a run folder, which is made where it is missing; a process that has crashed owns nothing any more.

    On a folder shared by machines this holds as far as its file system makes hard links, or else new files, atomically.
    In a folder that cannot be written to there is nothing to own.

    Args:
        run: folder of the run.
        take_over: take it from whatever process has it.

    Raises:
        UsageError: another process owns the folder.
    """
    with suppress(PermissionError), _one_at_a_time(run):
        while not _create(run / LOCK, json.dumps(asdict(Owner.this_process()))):
            owner = read_owner(run)
            if owner is not None and not owner.is_gone() and not take_over:
                raise UsageError(
                    f"Expected {run} to belong to no other process, found that process {owner.pid} on {owner.host} has "
                    f"been writing there since {owner.since}; wait for it, name another --results.root, or, if it has "
                    "crashed, add --results.take_over true."
                )
            (run / LOCK).unlink(missing_ok=True)


def give_up_ownership(run: Path) -> None:
    """Release a run folder that this process owns; one that it does not own is left alone, an empty one deleted.

    >>> give_up_ownership(Path("nowhere"))
    """
    owner = read_owner(run)
    if owner is not None and (owner.host, owner.pid) == (socket.gethostname(), os.getpid()):
        (run / LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # it holds a run
            run.rmdir()


def read_owner(run: Path) -> Owner | None:
    """Return who owns a run folder; None where nobody does, or where the lock file is damaged.

    >>> read_owner(Path("nowhere")) is None
    True
    """
    if not (run / LOCK).is_file():  # a named pipe would not end
        return None
    try:
        content = parse_json((run / LOCK).read_text(encoding="utf-8"))
        return Owner(str(content["host"]), int(content["pid"]), str(content["started"]), str(content["since"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def _one_at_a_time(run: Path) -> Iterator[None]:
    """Let one process of this machine at a time look at the lock file, so that no two take it from a dead one."""
    run.mkdir(parents=True, exist_ok=True)
    folder = os.open(run, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without such locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _create(path: Path, text: str) -> bool:
    """Create a file that appears whole; False where there is one already."""
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            return _create_exclusively(path, text)
        return True
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _create_exclusively(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _start_of(pid: int) -> str:
    """Return when a process was started, in ticks since the machine was; empty where there is no ``/proc``."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
