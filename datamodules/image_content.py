"""Digests of the content of images, by which a run tells whether its images are still the same."""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from mkbench.errors import DataError

#: Class index and sample id -> digest of the image's file.
DigestReader = Callable[[int, str], str]
#: Instead of a digest, of what has no content to read; once it has, the digest is another.
UNREADABLE = "unreadable"
_CHUNK = 1 << 20


def digest_reader(source: object) -> DigestReader | None:
    """Return the digests of a source's images; None where it has no files, as one that draws its images.

    >>> digest_reader("a source without files") is None
    True
    """
    reader: DigestReader | None = getattr(source, "digest", None)
    return reader


def file_digest(path: Path) -> str:
    """Return size and SHA-256 of a file; ``UNREADABLE`` of one that is missing, and of what is no regular file.

    >>> file_digest(Path("nowhere.png"))
    'unreadable'
    """
    try:
        # Opened like this, a pipe in the place of the file is not waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return UNREADABLE
            hasher, size = hashlib.sha256(), 0
            while chunk := file.read(_CHUNK):
                hasher.update(chunk)
                size += len(chunk)
    except OSError:
        return UNREADABLE
    return f"{size}:{hasher.hexdigest()}"


def bytes_digest(content: bytes) -> str:
    """Return the digest of a file of this content.

    >>> bytes_digest(b"")[:12]
    '0:e3b0c44298'
    """
    return f"{len(content)}:{hashlib.sha256(content).hexdigest()}"


def sample_digest(reader: DigestReader, class_index: int, sample_id: str) -> str:
    """Return the digest of an image, ``UNREADABLE`` where its source cannot read it.

    >>> sample_digest(lambda class_index, sample_id: bytes_digest(b""), 0, "owl/1.png")[:12]
    '0:e3b0c44298'
    """
    try:
        return reader(class_index, sample_id)
    except DataError:
        return UNREADABLE


def group_digest(digests: Mapping[str, str]) -> str:
    """Return one digest of several images: of their names, sizes and contents, in their order.

    Args:
        digests: sample id -> digest of its file.

    >>> group_digest({"owl/1.png": "0:e3b0"}) == group_digest({"owl/2.png": "0:e3b0"})
    False
    """
    return f"sha256:{hashlib.sha256(json.dumps(list(digests.items())).encode()).hexdigest()}"
