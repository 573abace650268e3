"""Source of images that are named one by one, by a list or a naming scheme, rather than by the folders they lie in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mkbench.datamodules.image_content import file_digest
from mkbench.datamodules.image_files import AS_STORED, Decoding, read_image
from mkbench.errors import DataError, name_some
from mkbench.text_files import split_lines


class ListedImage(NamedTuple):
    """One image of a list.

    Attributes:
        class_index: position of its class in the class list.
        sample_id: its name in results, unique within the data set.
        path: where it lies, below the root of the data set.
    """

    class_index: int
    sample_id: str
    path: str


@dataclass(frozen=True)
class ListedSource:
    """Images that are named one by one.

    Attributes:
        root: the folder that paths are relative to.
        class_names: name of each class, in class order.
        files: for each class, sample id -> path below ``root``, in the order of the ids.
        decoding: how the files are decoded.
    """

    root: Path
    class_names: tuple[str, ...]
    files: tuple[Mapping[str, str], ...]
    decoding: Decoding = field(default=AS_STORED, kw_only=True)

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the ids of a class's images, sorted; there may be none."""
        return list(self.files[class_index])

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return read_image(self.root / self.files[class_index][sample_id], self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return file_digest(self.root / self.files[class_index][sample_id])


def make_listed_source(
    root: Path,
    class_names: Sequence[str],
    images: Iterable[ListedImage],
    *,
    listed_in: Path,
    decoding: Decoding = AS_STORED,
) -> ListedSource:
    """Collect images by class, sorted by sample id, so that the order of the list does not matter.

    Args:
        root: the folder that holds the images.
        class_names: name of each class, in class order.
        images: what to collect.
        listed_in: where the images are named, for messages.
        decoding: how the files are decoded.

    Raises:
        DataError: no such folder, a sample id twice, or a path that leads out of the folder.

    >>> source = make_listed_source(
    ...     Path("."), ["bat", "owl"], [ListedImage(1, "2", "b.png"), ListedImage(1, "1", "a.png")],
    ...     listed_in=Path("list.txt"),
    ... )
    >>> source.sample_ids(0), source.sample_ids(1)
    ([], ['1', '2'])
    """
    if not root.is_dir():
        raise DataError(f"Expected the folder of images {root}, found none; unpack them there or check --data.root.")
    files: list[dict[str, str]] = [{} for _ in class_names]
    seen: set[str] = set()
    for class_index, sample_id, path in images:
        if leads_outside(path):
            raise DataError(f"Expected paths below {root} in {listed_in}, found {path!r}; restore the original file.")
        if sample_id in seen:
            raise DataError(
                f"Expected different images in {listed_in}, found {sample_id!r} twice; restore the original file."
            )
        seen.add(sample_id)
        files[class_index][sample_id] = path
    return ListedSource(
        root, tuple(class_names), tuple(dict(sorted(listed.items())) for listed in files), decoding=decoding
    )


def leads_outside(path: str) -> bool:
    r"""Tell whether a path, written by any system, may lead out of the folder that it is relative to.

    >>> [leads_outside(path) for path in ("owl/1.jpg", "a..b.jpg")]
    [False, False]
    >>> [leads_outside(path) for path in ("../1.jpg", "owl/../../1.jpg", "/1.jpg", "C:\\1.jpg", "")]
    [True, True, True, True, True]
    """
    parts = re.split(r"[/\\]", path)
    return not parts[0] or ":" in parts[0] or ".." in parts


def require_every_class(source: ListedSource, labels: Sequence[str], *, listed_in: Path, advice: str) -> None:
    """Check that no class is without images.

    Args:
        source: the images.
        labels: what to call each class in the message.
        listed_in: where the images are named.
        advice: what to do.

    Raises:
        DataError: some are; the message names them.

    >>> source = ListedSource(Path("."), ("bat",), ({"1": "1.png"},))
    >>> require_every_class(source, ["n1"], listed_in=Path("list.txt"), advice="restore it")
    """
    missing = [label for label, files in zip(labels, source.files, strict=True) if not files]
    if missing:
        raise DataError(
            f"Expected images of all {len(labels)} classes in {listed_in}, found none of {name_some(missing)}; "
            f"{advice}."
        )


def read_lines(path: Path, *, advice: str) -> list[str]:
    r"""Return the lines of a text file that belongs to a data set, stripped; blank ones are left out.

    Args:
        path: the file.
        advice: what to do if it is not there.

    Raises:
        DataError: it is missing, not UTF-8 text, or empty.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "classes.txt"
    ...     _ = path.write_text("bat\n\nowl\n")
    ...     read_lines(path, advice="")
    ['bat', 'owl']
    """
    if not path.is_file():
        raise DataError(f"Expected a file {path}, found none; {advice}.")
    try:
        lines = [line.strip() for line in split_lines(path.read_text(encoding="utf-8-sig")) if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"Expected UTF-8 text in {path}, found something else; restore the original file.") from error
    if not lines:
        raise DataError(f"Expected lines of text in {path}, found none; restore the original file.")
    return lines
