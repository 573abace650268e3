"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of `path` at the end, and is deleted after an error.

    The folder is made where it is missing. After a kill a temporary file may stay; its name begins with a dot.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is then as before.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def temporary_folder(place: Path) -> Iterator[Path]:
    """Give an empty folder beside `place`, to be renamed to it when it is whole; otherwise it is deleted at the end.

    Raises:
        OSError: the folder cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with temporary_folder(Path(folder) / "kept") as temporary:
    ...         _ = temporary.rename(Path(folder) / "kept")
    ...     with temporary_folder(Path(folder) / "lost"):
    ...         pass
    ...     [path.name for path in Path(folder).iterdir()]
    ['kept']
    """
    temporary = _beside(place)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a hidden path of this process in the same folder, so that renaming it moves nothing."""
    return path.with_name(f".{path.name}.{os.getpid()}")
