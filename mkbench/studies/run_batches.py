"""Images of a finished run in the order and the batches in which it encoded them."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup, GroupSpec
from mkbench.datamodules.group_loader import group_loader
from mkbench.errors import DataError, UsageError
from mkbench.progress import counting_bar
from mkbench.systems.base import BenchmarkSystem


def run_batches(
    system: BenchmarkSystem,
    data: ClassGroupDataModule,
    sample_ids: Collection[str],
    *,
    images_per_class: int | None = None,
    progress: bool = True,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Read the images of a run again, with their classes.

    Args:
        system: that of the run.
        data: that of the run.
        sample_ids: the images that the run could read.
        images_per_class: the first images of each class only; None reads all.
        progress: draw a bar on standard error.

    Yields:
        (B, 3, S, S) uint8 and (B,) int64, with B at most the system's ``encoder_chunk``.

    Raises:
        UsageError: images without labels.
        DataError: what can be read now are other images than those of the run.
    """
    if not data.labelled:
        raise UsageError(f"Expected images whose classes are known, found {data.name} without; evaluate other data.")
    for spec, group in run_groups(system, data, sample_ids, images_per_class=images_per_class, progress=progress):
        for images in torch.split(group.images, system.encoder_chunk):
            if len(images):
                yield images, torch.full((len(images),), spec.listed_under)


def run_groups(
    system: BenchmarkSystem,
    data: ClassGroupDataModule,
    sample_ids: Collection[str],
    *,
    images_per_class: int | None = None,
    with_ground_truth: bool = False,
    progress: bool = True,
) -> Iterator[tuple[GroupSpec, ClassGroup]]:
    """Read the class groups of a run again.

    Args:
        system: that of the run.
        data: that of the run.
        sample_ids: the images that the run could read.
        images_per_class: the first images of each class only; None reads all.
        with_ground_truth: read what is known of the images too.
        progress: draw a bar on standard error.

    Raises:
        UsageError: ground truth of data that has none.
        DataError: what can be read now are other images than those of the run.
    """
    specs, known = first_images(data, images_per_class), frozenset(sample_ids)
    dataset = data.dataset(system.geometry, specs, with_ground_truth=with_ground_truth)
    loader = group_loader(dataset, num_workers=data.num_workers)
    with counting_bar("images,", shown=progress) as bar:
        task = bar.add_task(system.backbone.name, total=sum(len(spec.sample_ids) for spec in specs))
        for spec, group in zip(specs, loader, strict=True):
            _require_same(spec, group, known)
            yield spec, group
            bar.advance(task, len(group) + len(group.unreadable))


def first_images(data: ClassGroupDataModule, images_per_class: int | None) -> list[GroupSpec]:
    """Return the groups of a run, with the first images of each class alone.

    Args:
        data: that of the run.
        images_per_class: how many images of a class; None keeps all.

    >>> from mkbench.datamodules import Critters
    >>> data = Critters(images_per_class=4, limit_classes=1, group_size=3)
    >>> [len(spec.sample_ids) for spec in first_images(data, None)]
    [3, 1]
    >>> [len(spec.sample_ids) for spec in first_images(data, 2)]
    [2]
    """
    if images_per_class is None:
        return data.specs
    size = data.group_size or 0  # without it, a class is one group
    kept = [replace(spec, sample_ids=spec.sample_ids[: _left(images_per_class, spec, size)]) for spec in data.specs]
    return [spec for spec in kept if spec.sample_ids]


def _left(images_per_class: int, spec: GroupSpec, size: int) -> int:
    return max(images_per_class - spec.part * size, 0)


def _require_same(spec: GroupSpec, group: ClassGroup, known: Collection[str]) -> None:
    expected = {sample_id for sample_id in spec.sample_ids if sample_id in known}
    other = sorted(expected.symmetric_difference(group.sample_ids))
    if other:
        raise DataError(
            f"Expected the images that the run could read, found {len(other)} more or fewer in the class group "
            f"{spec.key} (such as {other[0]!r}); restore them, or run `mkbench predict` again with --results.overwrite "
            "true."
        )
