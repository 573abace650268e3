"""Measurement of the time, memory and disk space of one image, on a few images."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from mkbench.cli.doctor.data import Listing
from mkbench.concepts import ConceptBank, bank_embeddings
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup, ClassGroupDataset, GroupSpec
from mkbench.errors import DataError
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import StageClock, random_texts

#: Images and texts that are timed.
IMAGES, TEXTS = 4, 64
#: Copies in fp32 that are held at once: of a group's features in saliency and parts, of logits in the assignment.
_FEATURE_COPIES, _LOGIT_COPIES = 7, 8
#: Pixels that the dense CRF, the largest of the stages that work in chunks, refines at once, and its bytes for each.
_CHUNK_PIXELS, _CHUNK_BYTES = 2**18, 4_000


@dataclass(frozen=True)
class Measurement:
    """Measured time and memory of a few images and texts.

    Attributes:
        images: how many images were explained.
        pixels: of one of them.
        seconds: time of explaining one of them.
        text_seconds: time of encoding one text.
        row_bytes: of the rows of one image on disk.
        peak_bytes: most memory of the process or, on a GPU, of the device; None where it is not known.
        held_bytes: memory that every further image of the same group takes.
    """

    images: int
    pixels: int
    seconds: float
    text_seconds: float
    row_bytes: float
    peak_bytes: int | None
    held_bytes: float

    def group_bytes(self, images: int) -> int | None:
        """Return the memory that a group of so many images takes; None where it is not known."""
        if self.peak_bytes is None:
            return None
        more = max(images - self.images, 0)
        return round(self.peak_bytes + (self._chunk_bytes(images) if more else 0) + more * self.held_bytes)

    def most_images(self, available: int) -> int:
        """Return how many images a group may have in so much memory, at least 1."""
        spare = available - (self.peak_bytes or 0) - self._chunk_bytes(_CHUNK_PIXELS)
        return max(self.images + int(spare / self.held_bytes), 1)

    def _chunk_bytes(self, images: int) -> int:
        """Return what a full chunk takes more than the images that were explained."""
        chunk, seen = (min(count * self.pixels, _CHUNK_PIXELS) for count in (images, self.images))
        return (chunk - seen) * _CHUNK_BYTES


@torch.no_grad()
def measure(system: MutualKnowledge, data: ClassGroupDataModule, listing: Listing, bank: ConceptBank) -> Measurement:
    """Explain a few images of the data, with random vectors in the place of text embeddings, and encode a few texts.

    Args:
        system: the system, on its device; left without texts.
        data: the data.
        listing: its images.
        bank: the bank, of which the first descriptors are encoded.

    Raises:
        DataError: none of the images of the first class can be read.
    """
    backbone, clock = system.backbone, StageClock(system.device)
    system.text = random_texts(
        backbone.embed_dim,
        system.device,
        classes=len(listing.class_names),
        bank=len(bank),
        num_language_concepts=min(system.num_language_concepts, len(bank)),
    )
    group = _first_images(system, data, listing)
    system.explain_group(group.first(1))  # the first call of anything is slow
    with clock("explain"):
        result = system.explain_group(group)
    texts = bank.descriptors[:TEXTS]
    bank_embeddings(backbone, texts[:1], system.descriptor_template)
    with clock("texts"):
        bank_embeddings(backbone, texts, system.descriptor_template)
    system.text = None
    parts = max(explained.explanation.present.shape[1] for explained in result.explained.values())
    features = backbone.grid[0] * backbone.grid[1] * backbone.feature_dim * (2 if system.features == "both" else 1)
    return Measurement(
        images=len(group),
        pixels=backbone.image_size**2,
        seconds=clock.seconds["explain"] / len(group),
        text_seconds=clock.seconds["texts"] / len(texts),
        row_bytes=_parquet_bytes(system.record(group, result, listing.class_names).rows) / len(group),
        peak_bytes=peak_memory(system.device),
        held_bytes=tensor_bytes(result) / len(group)
        + 4 * (_FEATURE_COPIES * features + _LOGIT_COPIES * parts * len(bank)),
    )


def _first_images(system: MutualKnowledge, data: ClassGroupDataModule, listing: Listing) -> ClassGroup:
    """Return the first readable images of one class, on the system's device."""
    index = max(range(len(listing.sample_ids)), key=lambda place: min(len(listing.sample_ids[place]), IMAGES))
    label = index if data.labelled else None
    specs = [GroupSpec(label, 0, listing.sample_ids[index][: 4 * IMAGES])]
    group = ClassGroupDataset(
        data.source, specs, system.geometry, resize=data.resize, with_ground_truth=system.needs_ground_truth
    )[0]
    if not len(group):
        raise DataError(
            f"Expected a readable image of the class {listing.class_names[index]!r} to measure the time on, found "
            "none; replace its files."
        )
    return group.first(min(IMAGES, data.group_size or IMAGES)).to(system.device)


def _parquet_bytes(rows: pa.Table) -> int:
    buffer = pa.BufferOutputStream()
    pq.write_table(rows, buffer)
    return int(buffer.getvalue().size)


def tensor_bytes(value: object) -> int:
    """Return the memory of all tensors in dataclasses, tuples and mappings.

    >>> tensor_bytes({"a": torch.zeros(3), "b": (torch.zeros(2, dtype=torch.uint8), "text")})
    14
    """
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if is_dataclass(value):
        return sum(tensor_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(map(tensor_bytes, value.values()))
    return sum(map(tensor_bytes, value)) if isinstance(value, (tuple, list)) else 0


def peak_memory(device: torch.device) -> int | None:
    """Return the most memory, in bytes, that this process has held so far, on a GPU that of the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu" or sys.platform == "win32":
        return None
    status = Path("/proc/self/status")  # Linux; `getrusage` counts what the process held that started this program
    held = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.is_file() else None
    if held is not None:
        return int(held[1]) * 1024
    import resource  # noqa: PLC0415 - not there on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def device_memory(device: torch.device) -> int | None:
    """Return the memory of the device in bytes; None where it is not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    if device.type != "cpu" or sys.platform == "win32":
        return None
    import os  # noqa: PLC0415

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
