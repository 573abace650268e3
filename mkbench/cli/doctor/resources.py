"""Doctor checks of the resources of a run: devices, time, memory and disk space."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning as L
from rich.filesize import decimal

from mkbench.cli.doctor.findings import Remark, counted, duration, ok, problem, warning
from mkbench.cli.doctor.measurement import Measurement

#: Bytes on disk that an image's rows take, where they were not measured; of a figure, as PNG and PDF.
ROW_BYTES, FIGURE_BYTES = 4_000, 1_000_000


def check_trainer(trainer: L.Trainer, groups: int) -> Iterator[Remark]:
    """Remark on devices and precision.

    Args:
        trainer: as the run would have it.
        groups: class groups of the run.
    """
    kind = trainer.strategy.root_device.type
    yield ok(f"{counted(trainer.world_size, 'device')} ({kind}) for {counted(groups, 'class group')}")
    if trainer.world_size > groups > 0:
        yield warning(
            f"{counted(trainer.world_size - groups, 'device')} would have nothing to do: class groups are not divided; "
            "lower --trainer.devices, or split classes with --data.group_size"
        )
    if trainer.precision != "32-true":
        yield problem(
            f"--trainer.precision is {trainer.precision}, but the analysis needs 32-true; set the precision of the "
            "encoders with --model.precision"
        )


@dataclass(frozen=True)
class RunSize:
    """Size of a run: images, texts, devices, and the time of reading.

    Attributes:
        images: to explain; devices share them out.
        texts: to encode; every device needs them.
        devices: of the run.
        num_workers: processes for each device that read images; with none, reading and explaining take turns.
        read_seconds: time of reading one image.
    """

    images: int
    texts: int
    devices: int
    num_workers: int
    read_seconds: float

    @property
    def supply_seconds(self) -> float:
        """Time after which a device has its next image, as far as reading goes."""
        return self.read_seconds / max(self.num_workers, 1)


def run_seconds(measured: Measurement, size: RunSize) -> float:
    """Estimate how long a run takes.

    Args:
        measured: what a few images and texts took.
        size: of the run.

    >>> measured = Measurement(4, 64 * 64, 0.5, 0.01, 4e3, None, 1e6)
    >>> run_seconds(measured, RunSize(images=100, texts=200, devices=2, num_workers=2, read_seconds=0.1))
    27.0
    """
    reading, explaining = size.supply_seconds, measured.seconds
    image = max(explaining, reading) if size.num_workers else explaining + reading
    return size.images * image / size.devices + size.texts * measured.text_seconds


def check_time(measured: Measurement, size: RunSize) -> Iterator[Remark]:
    """Remark on how long the run will take; arguments as of ``run_seconds``."""
    yield ok(
        f"{duration(run_seconds(measured, size))} for {counted(size.images, 'image')} on "
        f"{counted(size.devices, 'device')}: {measured.seconds:.2g} s an image (measured on {measured.images}) and "
        f"{duration(size.texts * measured.text_seconds)} for {counted(size.texts, 'text')}, unless an earlier run has "
        "kept their embeddings"
    )
    if size.num_workers and size.supply_seconds > measured.seconds:
        yield warning(
            f"reading an image takes {size.read_seconds:.2g} s, so that --data.num_workers {size.num_workers} cannot "
            "keep up with the model; raise it"
        )


def check_memory(measured: Measurement, largest: int, available: int | None) -> Iterator[Remark]:
    """Remark on the memory of the largest class group.

    Args:
        measured: what a few images took.
        largest: images in the largest class group.
        available: bytes of memory there are; None if unknown.
    """
    needed = measured.group_bytes(largest)
    if needed is None or available is None:
        yield warning("the memory of this device is not known, so that the largest class group was not checked")
        return
    said = f"the largest class group ({counted(largest, 'image')}) needs about {decimal(needed)} of memory"
    if needed <= available:
        yield ok(f"{said}, there are {decimal(available)}")
    else:
        yield problem(
            f"{said}, there are only {decimal(available)}; split classes with --data.group_size "
            f"{measured.most_images(available)} or less"
        )


def disk_bytes(measured: Sequence[Measurement | None], *, images: int, figures: int, kept: Sequence[int] = ()) -> float:
    """Estimate what a run writes.

    Args:
        measured: of each model, what a few images took; None if that was not measured.
        images: of the run.
        figures: figures that are drawn for each model.
        kept: of each model, bytes that are kept of an image beside its rows; of one that is not named, nothing.
    """
    rows = sum((each.row_bytes if each else ROW_BYTES) * images for each in measured)
    return rows + sum(kept) * images + len(measured) * figures * FIGURE_BYTES


def check_disk(root: Path, needed: float) -> Iterator[Remark]:
    """Remark on the space where results go.

    Args:
        root: folder of the results, which need not exist.
        needed: bytes that the run writes.
    """
    place = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        yield problem(f"results cannot be written to {root}, because of {place}; name another --results.root")
        return
    free = shutil.disk_usage(place).free
    said = f"results take about {decimal(round(needed))} at {root}"
    if free < needed:
        yield problem(f"{said}, where only {decimal(free)} are free; free some, or name another --results.root")
    else:
        yield ok(f"{said}, {decimal(free)} are free")
