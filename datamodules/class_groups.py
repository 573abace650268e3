"""Class groups: the atom of computation, distribution, resume and randomness."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mkbench.backbones import Geometry
from mkbench.datamodules.ground_truth import (
    GroundTruthReader,
    GroupGroundTruth,
    ImageGroundTruth,
    ground_truth_reader,
    stack_ground_truth,
)
from mkbench.datamodules.ground_truth_geometry import fit_ground_truth
from mkbench.datamodules.image_content import digest_reader, group_digest, sample_digest
from mkbench.datamodules.resizing import Resize, resize_image
from mkbench.errors import DataError, UsageError

OnBadImage = Literal["skip", "raise"]
#: Most groups of a class, and of images without labels: ``group_key`` has three and six digits for them.
_MOST_PARTS, _MOST_UNLABELLED = 1000, 1_000_000


def group_key(class_index: int | None, part: int) -> str:
    """Return the name of a class group; names sort by class, then part, images without labels last.

    >>> group_key(7, 0), group_key(None, 12)
    ('00007-000', 'unlabelled-000012')
    """
    return f"unlabelled-{part:06d}" if class_index is None else f"{class_index:05d}-{part:03d}"


@dataclass
class ClassGroup:
    """Images of one class, or without labels, that are explained together.

    Attributes:
        images: (B, 3, S, S) uint8, in the model's geometry; B may be 0 if no image could be read.
        class_index: position of the class in the class list; None: the images have no labels.
        part: number of this group within its class, 0 unless ``group_size`` splits the class.
        sample_ids: B names, unique within the data set.
        unreadable: messages about images that were left out.
        ground_truth: what is known of the images, in their geometry; None where nothing is, or nobody asked.
        content: digest of the files of all images, readable or not; None where the images come from no files.

    Raises:
        ValueError: shapes that do not fit each other.

    >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), class_index=7, part=0, sample_ids=("owl/1.png",))
    >>> len(group), group.key
    (1, '00007-000')
    """

    images: Tensor
    class_index: int | None
    part: int
    sample_ids: tuple[str, ...]
    unreadable: tuple[str, ...] = ()
    ground_truth: GroupGroundTruth | None = None
    content: str | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or self.images.dtype != torch.uint8:
            raise ValueError(f"Expected uint8 images (B, 3, S, S), got {self.images.dtype} {shape}.")
        if len(self.images) != len(self.sample_ids):
            raise ValueError(f"Expected a sample id for each of {len(self.images)} images, got {len(self.sample_ids)}.")
        if self.ground_truth is not None and len(self.ground_truth) != len(self.images):
            raise ValueError(
                f"Expected the ground truth of {len(self.images)} images, got that of {len(self.ground_truth)}."
            )

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def key(self) -> str:
        """Name of the group."""
        return group_key(self.class_index, self.part)

    @property
    def idle(self) -> bool:
        """Whether it stands for no work: it holds no image, and none that could not be read."""
        return not self.sample_ids and not self.unreadable

    def to(self, device: torch.device) -> "ClassGroup":
        """Return the group with its images, and what is known of them, on a device; a CUDA device is not waited for."""
        # Lightning asks for that with plain tensors alone.
        return self._map_tensors(lambda tensor: tensor.to(device, non_blocking=device.type == "cuda"))

    def pin_memory(self) -> "ClassGroup":
        """Return the group with its images, and what is known of them, in page-locked memory."""
        return self._map_tensors(Tensor.pin_memory)

    def first(self, images: int) -> "ClassGroup":
        """Return the group with its first images alone."""
        ground_truth = None if self.ground_truth is None else self.ground_truth.first(images)
        return replace(
            self, images=self.images[:images], sample_ids=self.sample_ids[:images], ground_truth=ground_truth
        )

    def _map_tensors(self, change: Callable[[Tensor], Tensor]) -> "ClassGroup":
        ground_truth = None if self.ground_truth is None else self.ground_truth.map_tensors(change)
        return replace(self, images=change(self.images), ground_truth=ground_truth)


@dataclass(frozen=True)
class GroupSpec:
    """Specification of one group, before any image is read.

    Attributes:
        class_index: position of the class in the class list; None: the images have no labels.
        part: number of the group within its class.
        sample_ids: names of its images.

    >>> GroupSpec(class_index=7, part=1, sample_ids=("owl/1.png",)).key
    '00007-001'
    """

    class_index: int | None
    part: int
    sample_ids: tuple[str, ...]

    @property
    def listed_under(self) -> int:
        """Index under which the source of the images lists them."""
        return 0 if self.class_index is None else self.class_index

    @property
    def key(self) -> str:
        """Name of the group."""
        return group_key(self.class_index, self.part)


#: Work for a device that has none.
IDLE = GroupSpec(class_index=None, part=0, sample_ids=())


class ImageSource(Protocol):
    """Source of images; implementations must be cheap to copy to worker processes.

    A source of images without labels lists all of them under class 0.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in class order."""

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the ids of a class's images, in a fixed order."""

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); raises DataError if it cannot be read."""


def content_of(source: ImageSource, spec: GroupSpec) -> str | None:
    """Return the digest of a group's image files, which are read for it; None where they come from no files.

    >>> from mkbench.datamodules import Critters
    >>> content_of(Critters().source, Critters().specs[0]) is None
    True
    """
    reader = digest_reader(source)
    if reader is None:
        return None
    return group_digest({name: sample_digest(reader, spec.listed_under, name) for name in spec.sample_ids})


def split_groups(
    source: ImageSource, classes: int, *, group_size: int | None, limit: int | None, labelled: bool = True
) -> list[GroupSpec]:
    """List the groups of the first ``classes`` classes.

    Args:
        source: where the images come from.
        classes: how many classes, from the first.
        group_size: most images in a group; None keeps every class whole, as published.
        limit: most images of a class; None takes all.
        labelled: whether the class under which the source lists an image is its class.

    Raises:
        UsageError: groups so small that a class falls into more than 1000, or images without labels into more than
            a million.

    >>> class Owls:
    ...     class_names = ("owl",)
    ...     def sample_ids(self, class_index):
    ...         return ["owl/1.png", "owl/2.png", "owl/3.png"]
    >>> [spec.sample_ids for spec in split_groups(Owls(), 1, group_size=2, limit=None)]
    [('owl/1.png', 'owl/2.png'), ('owl/3.png',)]
    """
    specs = []
    most = _MOST_PARTS if labelled else _MOST_UNLABELLED
    for index in range(classes):
        ids = tuple(source.sample_ids(index))[:limit]
        step = group_size or max(len(ids), 1)
        starts = range(0, len(ids), step)
        if len(starts) > most:
            whose = f"a class, found {len(starts)} of {source.class_names[index]!r}"
            raise UsageError(
                f"Expected at most {most} groups of {whose if labelled else f'images, found {len(starts)}'}; give "
                f"--data.group_size {-(-len(ids) // most)} or more."
            )
        label = index if labelled else None
        specs += [GroupSpec(label, part, ids[start : start + step]) for part, start in enumerate(starts)]
    return specs


class ClassGroupDataset(Dataset[ClassGroup]):
    """Dataset of whole class groups; an item is a group.

    Args:
        source: where the images come from.
        specs: the groups.
        geometry: the model's geometry.
        resize: how images are brought to the model's size.
        on_bad_image: leave out what cannot be read and say so in ``ClassGroup.unreadable``, or raise.
        with_ground_truth: read what is known of the images too, which may take longer than reading them.

    Raises:
        ValueError: another ``on_bad_image``.
        UsageError: ground truth is wanted of a source that has none.
        DataError: when an item is read, with ``on_bad_image="raise"``: an image that cannot be read, or boxes that do
            not fit it.
    """

    def __init__(
        self,
        source: ImageSource,
        specs: Sequence[GroupSpec],
        geometry: Geometry,
        *,
        resize: Resize = "squash",
        on_bad_image: OnBadImage = "skip",
        with_ground_truth: bool = False,
    ) -> None:
        if on_bad_image not in get_args(OnBadImage):
            raise ValueError(f"Expected on_bad_image to be one of {get_args(OnBadImage)}, got {on_bad_image!r}.")
        self.source, self.specs, self.geometry = source, list(specs), geometry
        self.resize, self.on_bad_image = resize, on_bad_image
        self.digest = digest_reader(source)
        self.ground_truth: GroundTruthReader | None = _require_ground_truth(source) if with_ground_truth else None

    def __len__(self) -> int:
        return len(self.specs)

    def __getitem__(self, index: int) -> ClassGroup:
        spec = self.specs[index]
        images, known, ids, unreadable = [], [], [], []
        digests: dict[str, str] = {}
        for sample_id in spec.sample_ids:
            if self.digest is not None:  # first, so that a file that changes meanwhile is read again later
                digests[sample_id] = sample_digest(self.digest, spec.listed_under, sample_id)
            try:
                image, ground_truth = self._read(spec.listed_under, sample_id)
            except DataError as error:
                if self.on_bad_image == "raise":
                    raise
                unreadable.append(str(error))
                continue
            images.append(image)
            known.append(ground_truth)
            ids.append(sample_id)
        size = self.geometry.size
        stacked = torch.stack(images) if images else torch.empty(0, 3, size, size, dtype=torch.uint8)
        return ClassGroup(
            stacked,
            spec.class_index,
            spec.part,
            tuple(ids),
            tuple(unreadable),
            ground_truth=stack_ground_truth(known),
            content=None if self.digest is None else group_digest(digests),
        )

    def _read(self, class_index: int, sample_id: str) -> tuple[Tensor, ImageGroundTruth | None]:
        """Return an image and, if wanted, what is known of it, both in the model's geometry."""
        image = self.source.read(class_index, sample_id)
        try:
            resized = resize_image(image, self.geometry, self.resize)
        except DataError as error:
            raise DataError(f"{sample_id}: {error}") from error
        ground_truth = None if self.ground_truth is None else self.ground_truth(class_index, sample_id)
        if ground_truth is not None:
            height, width = image.shape[-2:]
            ground_truth = fit_ground_truth(
                ground_truth, (height, width), self.geometry, self.resize, sample_id=sample_id
            )
        return resized, ground_truth


def _require_ground_truth(source: ImageSource) -> GroundTruthReader:
    reader = ground_truth_reader(source)
    if reader is None:
        raise UsageError(
            "Expected data with ground truth, which a scorer of this run compares with, found none; leave the "
            "scorer out of --model.scorers, give --data.boxes to a folder of images, or use Critters."
        )
    return reader
