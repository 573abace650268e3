"""The images of class folders, packed as other data sets are: the same images, so that the same results follow."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any


def interleaved(root: Path) -> list[tuple[Path, int]]:
    """Images and classes of class folders: the first image of each class, then the second, and so on."""
    folders = [sorted(folder.iterdir()) for folder in sorted(root.iterdir())]
    rows = zip_longest(*folders)
    return [(path, label) for row in rows for label, path in enumerate(row) if path is not None]


def write_names(path: Path, names: Iterable[str]) -> Path:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path


def write_flat(root: Path, folder: Path) -> Path:
    """Write all images to one folder; by name, those of a class follow each other."""
    folder.mkdir(parents=True)
    for path, _ in interleaved(root):
        (folder / f"{path.parent.name}-{path.name}").write_bytes(path.read_bytes())
    return folder


def image_table(root: Path) -> Any:
    """Return a table of the library `datasets` with the columns ``image`` and ``label``."""
    import datasets

    images = interleaved(root)
    names = sorted(path.name for path in root.iterdir())
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    cells = [{"bytes": path.read_bytes(), "path": None} for path, _ in images]
    return datasets.Dataset.from_dict({"image": cells, "label": [label for _, label in images]}, features=features)


def write_saved(root: Path, folder: Path, split: str = "validation") -> Path:
    """Write one split the way `save_to_disk` does."""
    import datasets

    datasets.DatasetDict({split: image_table(root)}).save_to_disk(str(folder))
    return folder


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_shards(root: Path, folder: Path, *, size: int = 4) -> Path:
    """Write WebDataset shards of `size` samples, with a member of another kind beside each image."""
    images = interleaved(root)
    for shard, start in enumerate(range(0, len(images), size)):
        members = []
        for number, (path, label) in enumerate(images[start : start + size], start=start):
            members += [(f"{number:04d}.cls", f"{label}\n".encode()), (f"{number:04d}.png", path.read_bytes())]
            members += [(f"{number:04d}.json", b'{"width": 40}')]
        write_tar(folder / f"val-{shard:06d}.tar", members)
    return folder
