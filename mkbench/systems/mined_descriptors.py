"""Finished runs as a source of descriptors: what was found in which images, and on which classes that helped."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from mkbench.errors import UsageError
from mkbench.runs.group_files import finished_groups, read_columns, read_groups
from mkbench.runs.results import read_results
from mkbench.runs.schema import RunResults

#: An image: name of its data set, sample id.
ImageId = tuple[str, str]


@dataclass(frozen=True)
class MinedRun:
    """Run of ``MutualKnowledge`` as a source of descriptors.

    Attributes:
        folder: where its run folder lies.
        results: its ``results.json``, parsed.
        images: all images it explained.
        class_index: (n,) int64, the true class of each image.
        counts: (n,) int64, how many vision concepts each image has.
        ids: (counts.sum(),) int64, their ids, image by image.
        sha256: hash of all that.
    """

    folder: Path
    results: RunResults
    images: frozenset[ImageId]
    class_index: Tensor
    counts: Tensor
    ids: Tensor
    sha256: str

    def describe(self) -> dict[str, Any]:
        """Return what tells this source of descriptors from another one."""
        return {"data": self.results["data"]["name"], "images": len(self.class_index), "sha256": self.sha256}


@dataclass(frozen=True)
class HeldOutRun:
    """Run of ``DescriptorZeroShot`` over held-out images that used every mined descriptor.

    Attributes:
        folder: where its run folder lies.
        results: its ``results.json``, parsed.
        images: its images, in the order of the rows.
        class_index: (n,) int64, the true class of each image.
        own: (n,) bool, whether it was classified right by the classes' own descriptors.
        mined: (n,) bool, likewise with the mined ones added.
        sha256: hash of all that.
    """

    folder: Path
    results: RunResults
    images: tuple[ImageId, ...]
    class_index: Tensor
    own: Tensor
    mined: Tensor
    sha256: str

    def describe(self) -> dict[str, Any]:
        """Describe the images that decisions rest on, as JSON."""
        return {"data": self.results["data"]["name"], "images": len(self.class_index), "sha256": self.sha256}


def _tensor(column: pa.ChunkedArray) -> Tensor:
    # A copy, because Arrow's own memory is read-only.
    return torch.from_numpy(np.array(column.to_numpy(zero_copy_only=False)))


def _hash(images: list[ImageId], *tensors: Tensor) -> str:
    digest = hashlib.sha256("\0".join("\0".join(image) for image in images).encode())
    for tensor in tensors:
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _images(results: RunResults, rows: pa.Table) -> list[ImageId]:
    return [(str(results["data"]["name"]), sample_id) for sample_id in rows["sample_id"].to_pylist()]


def read_mined(folder: Path, explainer: str) -> MinedRun:
    """Read the vision concepts of a finished run.

    Args:
        folder: of the run.
        explainer: whose concepts, such as ``pca``.

    Raises:
        UsageError: no finished run, one without this explainer, or one of images without labels.
        DataError: a damaged file.
    """
    results = read_results(folder)
    explainers = results["settings"].get("explainers", {})
    if explainer not in explainers:
        raise UsageError(
            f"Expected {folder} to hold concepts of the explainer {explainer!r}, found "
            f"{' and '.join(explainers) or 'a run without explainers'}; name a run of mkbench.systems.MutualKnowledge, "
            "or another --model.mined_explainer."
        )
    rows = read_columns(folder, ["sample_id", "class_index", "explainer", "descriptor_ids"])
    rows = rows.filter(pc.equal(rows["explainer"], explainer))
    if rows["class_index"].null_count:
        raise UsageError(f"Expected images with labels to mine from, found a run without any at {folder}.")
    images, class_index = _images(results, rows), _tensor(rows["class_index"])
    counts = _tensor(pc.list_value_length(rows["descriptor_ids"])).long()
    ids = _tensor(pc.list_flatten(rows["descriptor_ids"]))
    digest = _hash(images, class_index, counts, ids)
    return MinedRun(folder, results, frozenset(images), class_index, counts, ids, digest)


def read_held_out(folder: Path) -> HeldOutRun:
    """Read how held-out images were classified with and without mined descriptors.

    Raises:
        UsageError: no finished run, or not one that used every mined descriptor.
        DataError: a damaged file.
    """
    results = read_results(folder)
    settings = results["settings"]
    if settings.get("mined_from") is None or settings["held_out_from"] is not None:
        found = "one that used no mined descriptors" if settings.get("mined_from") is None else "one that chose them"
        raise UsageError(
            f"Expected {folder} to hold a run of mkbench.systems.DescriptorZeroShot with every mined descriptor "
            f"(--model.mined_from without --model.held_out_from), found {found}."
        )
    rows = pa.concat_tables([record.rows for record in read_groups(folder, finished_groups(folder))])
    images = _images(results, rows)
    columns = [_tensor(rows[name]) for name in ("class_index", "top1_descriptors", "top1_mined")]
    class_index, own, mined = columns
    return HeldOutRun(folder, results, tuple(images), class_index, own, mined, _hash(images, *columns))
