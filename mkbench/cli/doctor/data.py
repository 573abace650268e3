"""Doctor checks of the images: are they there, and can they be read."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mkbench.cli.doctor.findings import Remark, counted, examples, ok, problem, warning
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ImageSource
from mkbench.datamodules.image_folder import FolderSource
from mkbench.datamodules.listed_source import ListedSource
from mkbench.datamodules.sample_subset import SampleSubset
from mkbench.datamodules.unlabelled_folder import FlatSource
from mkbench.errors import DataError

#: Images that are opened.
SAMPLE = 200
#: Files whose size is looked up.
_MOST_FILES = 200_000


@dataclass(frozen=True)
class Listing:
    """Listing of the images a run would explain, class by class so that one fault does not hide another.

    Attributes:
        class_names: class names, in class order.
        sample_ids: for each class to evaluate, the ids of its images.
        missing: index of a class without images -> why.
    """

    class_names: tuple[str, ...]
    sample_ids: tuple[tuple[str, ...], ...]
    missing: Mapping[int, str]

    @cached_property
    def images(self) -> list[tuple[int, str]]:
        """Class index and id of every image."""
        return [(index, sample_id) for index, ids in enumerate(self.sample_ids) for sample_id in ids]

    def groups(self, group_size: int | None) -> int:
        """Return the number of class groups."""
        return sum(-(-len(ids) // (group_size or len(ids))) for ids in self.sample_ids if ids)

    def largest_group(self, group_size: int | None) -> int:
        """Return the number of images in the largest class group."""
        return min(group_size or len(self.images), max(map(len, self.sample_ids), default=0))


def list_images(data: ClassGroupDataModule) -> Listing:
    """List the images of every class.

    Raises:
        MkbenchError: the source itself cannot be made: a missing folder, a wrong file of class names.
    """
    names = data.class_names
    listed: list[tuple[str, ...]] = []
    missing = {}
    for index in range(min(data.limit_classes or len(names), len(names))):
        try:
            ids = tuple(data.source.sample_ids(index))[: data.limit_images_per_class]
        except DataError as error:
            ids, missing[index] = (), str(error)
        else:
            if not ids and data.labelled and data.samples_file is None:  # a file of samples may leave a class out
                missing[index] = f"the class {names[index]!r} has no images; add some, or evaluate without it"
        listed.append(ids)
    return Listing(names, tuple(listed), missing)


def check_listing(data: ClassGroupDataModule, listing: Listing) -> Iterator[Remark]:
    """Remark on the numbers of images, on classes without any, and on ids that repeat."""
    counts = [len(ids) for ids in listing.sample_ids if ids]
    if counts:
        spread = f"{min(counts):,} to {max(counts):,} in a class (median {statistics.median(counts):g})"
        if min(counts) == max(counts):
            spread = f"{counts[0]:,} in each"
        classes = f"of {counted(len(counts), 'class', 'classes')}, {spread}" if data.labelled else "without labels"
        yield ok(f"{data.name}: {counted(len(listing.images), 'image')} {classes}")
    else:
        yield problem(f"{data.name} has no image to explain; check --data.root and the limits of --data")
    if len(listing.missing) == 1:
        yield problem(next(iter(listing.missing.values())).rstrip("."))
    elif listing.missing:
        names = [listing.class_names[index] for index in listing.missing]
        yield problem(
            f"{counted(len(names), 'class', 'classes')} without images: {examples(names)}; add images, or remove "
            "these classes from the data and from --data.class_names"
        )
    repeated = [name for name, count in Counter(name for _, name in listing.images).items() if count > 1]
    if repeated:
        yield problem(
            f"{counted(len(repeated), 'sample id')} more than once, such as {repeated[0]!r}: results could not tell "
            "these images apart; give every image an id of its own"
        )


@dataclass(frozen=True)
class Sample:
    """Sample of images that were opened.

    Attributes:
        read: how many could be read.
        unreadable: what was said of the others.
        seconds: time of reading one.
        smallest: id, height and width of the image with the shortest side; None if none could be read.
    """

    read: int
    unreadable: tuple[str, ...]
    seconds: float
    smallest: tuple[str, int, int] | None


def open_images(data: ClassGroupDataModule, listing: Listing, *, seed: int = 0) -> Sample:
    """Open up to ``SAMPLE`` images, drawn at random by the seed."""
    images = listing.images
    chosen = random.Random(seed).sample(images, min(SAMPLE, len(images)))
    unreadable, sizes = [], []
    start = time.perf_counter()
    for index, sample_id in chosen:
        try:
            height, width = data.source.read(index, sample_id).shape[-2:]
        except DataError as error:
            unreadable.append(str(error))
        else:
            sizes.append((sample_id, height, width))
    seconds = (time.perf_counter() - start) / max(len(chosen), 1)
    return Sample(len(sizes), tuple(unreadable), seconds, min(sizes, key=lambda size: min(size[1:]), default=None))


def check_sample(sample: Sample, listing: Listing) -> Iterator[Remark]:
    """Remark on what opening the sample showed."""
    total, opened = len(listing.images), sample.read + len(sample.unreadable)
    if sample.unreadable:
        expected = "" if opened == total else f", so about {round(len(sample.unreadable) / opened * total):,} in all"
        yield problem(
            f"{len(sample.unreadable):,} of {counted(opened, 'opened image')} cannot be read{expected}; the first: "
            f"{sample.unreadable[0].rstrip('.')}"
        )
    elif opened:
        drawn = f"{counted(opened, 'image')} drawn at random" if opened < total else counted(opened, "image")
        yield ok(f"{drawn} opened: all can be read")


def check_size(sample: Sample, image_size: int) -> Iterator[Remark]:
    """Remark on images that are smaller than the model's."""
    if sample.smallest is not None and min(sample.smallest[1:]) < image_size:
        name, height, width = sample.smallest
        yield warning(
            f"images are enlarged for this model: the smallest one opened, {name}, has {width} x {height} pixels, "
            f"the model sees {image_size} x {image_size}"
        )


def check_files(data: ClassGroupDataModule, listing: Listing) -> Iterator[Remark]:
    """Remark on files without content or gone; all files are looked up, not a sample."""
    empty = []
    for index, sample_id in listing.images[:_MOST_FILES]:
        path = _path_of(data.source, index, sample_id)
        if path is not None and not (path.is_file() and path.stat().st_size):
            empty.append(str(path))
    if empty:
        yield problem(
            f"{counted(len(empty), 'file')} without content or gone: {examples(empty)}; fetch them again or remove them"
        )


def check_other_files(data: ClassGroupDataModule) -> Iterator[Remark]:
    """Remark on files beside the images that do not count as images; nothing is said of archives and tables."""
    others = data.other_files()
    if others:
        yield warning(
            f"{counted(len(others), 'file')} beside the images left out, since they are no images by their suffixes: "
            f"{examples(others)}; convert them if they should be"
        )


def _path_of(source: ImageSource, class_index: int, sample_id: str) -> Path | None:
    """Return the file of an image; None if it does not come from one."""
    if isinstance(source, SampleSubset):
        source = source.source
    if isinstance(source, (FolderSource, FlatSource)):
        return source.root / sample_id
    if isinstance(source, ListedSource):
        return source.root / source.files[class_index][sample_id]
    return None
