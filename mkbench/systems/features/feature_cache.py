"""Cache of the features of a frozen model on disk, so that images are encoded once and not in every epoch."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mkbench.atomic_files import temporary_folder
from mkbench.backbones import Backbone
from mkbench.backbones.base import Kind
from mkbench.backbones.finite import require_finite_embeddings
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup, GroupSpec
from mkbench.datamodules.group_loader import group_loader
from mkbench.errors import BackboneError, DataError, MkbenchWarning, UsageError
from mkbench.progress import counting_bar
from mkbench.systems.features.feature_set import FeatureChunk, FeatureSet
from mkbench.text_files import parse_json

_INDEX = "index.json"
_VERSION = 2
#: Images whose pixels tell whether a data set without files is still the same.
_PROBES = 16
#: What `describe` says of a data set that its features do not depend on.
_IRRELEVANT = ("bank", "templates", "class_list", "class_names_sha256")


@dataclass(frozen=True)
class FeatureCache:
    """Keeps patch features and image embeddings of whole data sets, a folder for each, a file for each class group.

    Patch features are stored in fp16: half the disk and half of what an epoch reads, and its rounding, 1 in 2,000, is
    far below what a step of training changes. Embeddings, a hundredth of the size, stay in fp32. Files are mapped into
    memory, so that a data set may be larger than it.

    A folder is used only if its index names the same weights, features, sample ids and options, and the files of all
    images are the same, or, where they come from no files, the pixels of 16 of them; any other is encoded again and
    replaced. It appears whole or not at all.

    Args:
        folder: where data sets are kept; None holds the features in memory.
        encoder_chunk: images in one call of the image encoder.
        show: draw a progress bar on standard error.
    """

    folder: Path | None
    encoder_chunk: int = 64
    show: bool = False

    def features(self, backbone: Backbone, data: ClassGroupDataModule, kind: Kind) -> FeatureSet:
        """Return the features of all images of a data set, encoded now or kept from before.

        Args:
            backbone: the model, on the device to encode on.
            data: labelled images.
            kind: which patch features.

        Raises:
            DataError: no image could be read.
            BackboneError: features beyond the range of fp16.
            UsageError: the folder cannot be written, or the disk is too small.
        """
        if self.folder is None:
            return self._require_images(FeatureSet(list(self._encode(backbone, data, kind))), data)
        key = _key(backbone, data, kind)
        digest = hashlib.sha256(json.dumps(key["identity"], sort_keys=True).encode()).hexdigest()[:16]
        place = self.folder / f"{_plain(backbone.name)}-{_plain(data.name)}-{digest}"
        if place.is_dir():
            try:
                return self._require_images(_read(place, key), data)
            except _StaleError as reason:
                warnings.warn(
                    f"Expected the features of {data.name} from {backbone.name} in {place}, found {reason}; encoding "
                    "the images again.",
                    MkbenchWarning,
                    stacklevel=2,
                )
        self._write(place, key, backbone, data)
        return self._require_images(_read(place, key), data)

    @staticmethod
    def _require_images(features: FeatureSet, data: ClassGroupDataModule) -> FeatureSet:
        if not len(features):
            raise DataError(f"Expected images in {data.name}, found none that can be read; check the data set.")
        return features

    def _write(self, place: Path, key: dict[str, Any], backbone: Backbone, data: ClassGroupDataModule) -> None:
        """Encode all images into a folder that appears when the last one is done."""
        kind: Kind = key["identity"]["features"]
        with _blaming(place.parent):
            place.parent.mkdir(parents=True, exist_ok=True)
        self._require_space(place.parent, backbone, data, kind)
        chunks = []
        with _folder_written_whole(place) as temporary:
            for number, chunk in enumerate(self._encode(backbone, data, kind)):
                file = temporary / f"{number:06d}.safetensors"
                with _blaming(place.parent):
                    save_file({"features": chunk.features, "embedding": chunk.embedding}, file)
                size = file.stat().st_size
                chunks.append({"class_index": chunk.class_index, "sample_ids": chunk.sample_ids, "bytes": size})
            with _blaming(place.parent):
                (temporary / _INDEX).write_text(json.dumps({**key, "chunks": chunks}), encoding="utf-8")

    @staticmethod
    def _require_space(folder: Path, backbone: Backbone, data: ClassGroupDataModule, kind: Kind) -> None:
        images = sum(len(spec.sample_ids) for spec in data.specs)
        width = backbone.feature_dim * (2 if kind == "both" else 1)
        needed = images * (2 * backbone.grid[0] * backbone.grid[1] * width + 4 * backbone.embed_dim)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise UsageError(
                f"Expected {needed / 1e9:.1f} GB in {folder} for the features of {images} images, found "
                f"{free / 1e9:.1f} GB free; give another folder with --data.cache, or fewer images with "
                "limit_images_per_class."
            )

    @torch.no_grad()
    def _encode(self, backbone: Backbone, data: ClassGroupDataModule, kind: Kind) -> Iterator[FeatureChunk]:
        loader = group_loader(data.dataset(backbone.geometry, data.specs), num_workers=data.num_workers)
        unreadable: list[str] = []
        with counting_bar("images,", shown=self.show) as progress:
            task = progress.add_task(
                f"{backbone.name} encodes {data.name}", total=sum(len(spec.sample_ids) for spec in data.specs)
            )
            for group in loader:
                unreadable += group.unreadable
                if len(group):
                    yield self._encode_group(backbone, group, kind)
                progress.advance(task, len(group) + len(group.unreadable))
        if unreadable:
            warnings.warn(
                f"{len(unreadable)} images of {data.name} were left out; the first: {unreadable[0]}",
                MkbenchWarning,
                stacklevel=2,
            )

    def _encode_group(self, backbone: Backbone, group: ClassGroup, kind: Kind) -> FeatureChunk:
        starts = range(0, len(group), self.encoder_chunk)
        parts = [backbone.patch_features(group.images[at : at + self.encoder_chunk], kind) for at in starts]
        features = torch.cat([part.features.half().cpu() for part in parts])
        if not bool(features.isfinite().all()):
            raise BackboneError(
                f"Expected patch features of {backbone.name} within the range of fp16 (65504), found larger ones or "
                f"NaN, first in {group.sample_ids[0]} or near it; they cannot be kept for training."
            )
        embedding = torch.cat([part.embedding.float().cpu() for part in parts])
        require_finite_embeddings(embedding, group.sample_ids, model=backbone.name)
        return FeatureChunk(int(group.class_index or 0), group.sample_ids, features, embedding)


class _StaleError(Exception):
    """A folder that is not what was asked for; says what it is."""


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


def _key(backbone: Backbone, data: ClassGroupDataModule, kind: Kind) -> dict[str, Any]:
    """Say what features depend on: ``identity`` names it, ``images`` shows whether the images are still the same."""
    described = {name: value for name, value in data.describe().items() if name not in _IRRELEVANT}
    samples = [[spec.class_index, spec.sample_ids] for spec in data.specs]
    identity = {
        "version": _VERSION,
        "fingerprint": backbone.fingerprint,
        "features": kind,
        "data": described,
        "samples": hashlib.sha256(json.dumps(samples).encode()).hexdigest(),
    }
    return json.loads(json.dumps({"identity": identity, "images": _content(data) or _probe(backbone, data)}))  # type: ignore[no-any-return]


def _content(data: ClassGroupDataModule) -> str | None:
    """Hash the files of all images; None where they come from no files."""
    groups = {spec.key: data.content(spec) for spec in data.specs}
    return None if None in groups.values() else hashlib.sha256(json.dumps(groups).encode()).hexdigest()


def _probe(backbone: Backbone, data: ClassGroupDataModule) -> str:
    """Hash the pixels of a few images, spread evenly over the data set."""
    listed = [(spec, sample_id) for spec in data.specs for sample_id in spec.sample_ids]
    step = max(1, len(listed) // _PROBES)
    specs = [GroupSpec(spec.class_index, 0, (sample_id,)) for spec, sample_id in listed[::step][:_PROBES]]
    dataset = data.dataset(backbone.geometry, specs)
    digest = hashlib.sha256()
    for position in range(len(dataset)):
        digest.update(dataset[position].images.numpy().tobytes())
    return digest.hexdigest()


def _read(place: Path, key: dict[str, Any]) -> FeatureSet:
    """Map the files of a folder into memory; raise if they are not what the key names."""
    try:
        index = parse_json((place / _INDEX).read_text(encoding="utf-8"))
        if index["identity"] != key["identity"]:
            raise _StaleError("features of another model or data set")
        if index["images"] != key["images"]:
            raise _StaleError("features of other images under the same names")
        return FeatureSet([_read_chunk(place, number, said) for number, said in enumerate(index["chunks"])])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _StaleError(f"a damaged folder ({error})") from error


def _read_chunk(place: Path, number: int, said: dict[str, Any]) -> FeatureChunk:
    file = place / f"{number:06d}.safetensors"
    if file.stat().st_size != said["bytes"]:
        raise _StaleError(f"a damaged file {file.name}")
    with safe_open(file, framework="pt") as opened:
        features, embedding = opened.get_tensor("features"), opened.get_tensor("embedding")
    return FeatureChunk(said["class_index"], tuple(said["sample_ids"]), features, embedding)


@contextmanager
def _blaming(folder: Path) -> Iterator[None]:
    """Say of errors of writing which option they come from."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"Expected to keep features in {folder}, found that it cannot be written "
            f"({getattr(error, 'strerror', None) or error}); give another folder with --data.cache, or `off` to hold "
            "them in memory."
        ) from error


@contextmanager
def _folder_written_whole(place: Path) -> Iterator[Path]:
    """Give a temporary folder; it takes the place of `place` at the end, and is deleted after an error."""
    with ExitStack() as stack:
        with _blaming(place.parent):
            temporary = stack.enter_context(temporary_folder(place))
        yield temporary
        with _blaming(place.parent):
            shutil.rmtree(place, ignore_errors=True)
            temporary.rename(place)
