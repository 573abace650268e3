"""Store of head contributions: a safetensors file for each class group of a run, read in parts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError, MkbenchError, UsageError
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_values import embedding_lengths, unit_terms
from mkbench.runs.group_files import finished_groups, read_group
from mkbench.runs.manifest import read_manifest
from mkbench.runs.run_folder import CONTRIBUTIONS, group_path

SCHEMA_VERSION = 1
_META_KEY = "mkbench"
_TENSORS = ("heads", "mlp", "initial", "rest", "constant", "embedding")


@dataclass(frozen=True)
class StoredGroup:
    """Stored contributions of a class group: their file and images.

    Attributes:
        path: the file.
        sample_ids: its B images.
        class_index: their class; None where it is not known.
    """

    path: Path
    sample_ids: tuple[str, ...]
    class_index: int | None


def contributions_path(run: Path, key: str) -> Path:
    """Return where the contributions of a class group lie.

    >>> contributions_path(Path("runs"), "00007-000").as_posix()
    'runs/contributions/00007-000.safetensors'
    """
    return run / CONTRIBUTIONS / f"{key}.safetensors"


def write_contributions(
    run: Path,
    key: str,
    terms: HeadContributions,
    sample_ids: Sequence[str],
    *,
    fingerprint: str,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write the contributions of a class group; the file appears whole or not at all.

    What each head takes from each token (``attention``) is not kept.

    Args:
        run: folder of the run.
        key: name of the group.
        terms: of its B images; summed over tokens if they tell them apart.
        sample_ids: the B images.
        fingerprint: of the model.
        dtype: float32, or float16 for half the space and three digits.

    Raises:
        ValueError: for another number of sample ids than images.
        MkbenchError: a number too large for the precision.
        OSError: the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> heads, mlp, rows = torch.ones(2, 1, 4, 3), torch.ones(2, 5, 3), torch.ones(2, 3)
        >>> terms = HeadContributions(heads, mlp, rows, rows, rows, rows, torch.ones(2, 1, 4, 0), layers=(9,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Path(folder)
        ...     _ = write_contributions(run, "00007-000", terms, ["owl/1.png", "owl/2.png"], fingerprint="f")
        ...     read_shape(run, "00007-000", ["owl/1.png", "owl/2.png"], fingerprint="f", layers=[9])
        (2, 1, 4, 3)
    """
    if len(sample_ids) != len(terms.embedding):
        raise ValueError(f"Expected a sample id for each of {len(terms.embedding)} images, got {len(sample_ids)}.")
    values = {name: getattr(terms, name) for name in _TENSORS} | {"heads": terms.head_sums()}
    tensors = {name: value.detach().to("cpu", dtype, copy=True).contiguous() for name, value in values.items()}
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise MkbenchError(
            f"Expected contributions that {dtype} can hold, found larger ones in the group {key}; keep them with "
            "--model.stored_as fp32."
        )
    meta = _describe(key, fingerprint, terms.layers, sample_ids) | {"shape": list(tensors["heads"].shape)}
    path = contributions_path(run, key)
    with written_whole(path) as temporary:
        # Not safetensors' own file: of a full disk it makes an error that is no OSError.
        temporary.write_bytes(save(tensors, metadata={_META_KEY: json.dumps(meta)}))
    return path


def _describe(key: str, fingerprint: str, layers: Sequence[int], sample_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "key": key,
        "fingerprint": fingerprint,
        "layers": list(layers),
        "sample_ids": list(sample_ids),
    }


def read_shape(
    run: Path, key: str, sample_ids: Sequence[str], *, fingerprint: str, layers: Sequence[int]
) -> tuple[int, ...]:
    """Check that the contributions of a class group are there, whole, and those of a model's layers for some images.

    Args:
        run: folder of the run.
        key: name of the group.
        sample_ids: its images.
        fingerprint: of the model.
        layers: numbers of the L layers.

    Returns:
        (B, L, H, d).

    Raises:
        DataError: they are not.
    """
    path = contributions_path(run, key)
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})[_META_KEY])
            shape = tuple(file.get_slice("heads").get_shape())
            names = set(file.keys())
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, f"none that can be read ({error})") from error
    wanted = _describe(key, fingerprint, layers, sample_ids)
    other = [name for name, value in wanted.items() if said.get(name) != value]
    if other or names != set(_TENSORS) or shape[:2] != (len(sample_ids), len(layers)):
        raise _broken(path, f"those of another run (other {', '.join(other) or 'tensors'})")
    return shape


def _broken(path: Path, found: str) -> DataError:
    return DataError(
        f"Expected the contributions of a class group at {path}, found {found}; run `mkbench predict` again, which "
        "computes them anew."
    )


@dataclass(frozen=True)
class ContributionStore:
    """The contributions of all images of a run, class group by class group in the order of the classes.

    Nothing is held in memory: every call maps the files and reads what it needs.

    Attributes:
        run: folder of the run.
        layers: numbers of the L layers, from 0.
        num_heads: heads H of a layer.
        width: d, of the joint space.
        groups: those with at least one readable image.
        normalise: divide all terms of an image by the length of its embedding when they are read, so that each image
            counts alike whatever its scale. The published figures of heads and their texts are of such terms.

    >>> store = ContributionStore(Path("runs/heads/vit"), layers=(10, 11), num_heads=12, width=512, groups=())
    >>> store.num_images, store.layer(11).shape
    (0, torch.Size([12, 0, 512]))
    """

    run: Path
    layers: tuple[int, ...]
    num_heads: int
    width: int
    groups: tuple[StoredGroup, ...]
    normalise: bool = False

    @property
    def num_images(self) -> int:
        """K, the images of the run."""
        return sum(len(group.sample_ids) for group in self.groups)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The K images, in the order of all that is read."""
        return tuple(sample_id for group in self.groups for sample_id in group.sample_ids)

    @property
    def class_index(self) -> Tensor:
        """(K,) int64, the class of each image; -1 where it is not known."""
        labels = [-1 if group.class_index is None else group.class_index for group in self.groups]
        counts = torch.tensor([len(group.sample_ids) for group in self.groups])
        return torch.tensor(labels).repeat_interleave(counts)

    def read(self, group: StoredGroup) -> HeadContributions:
        """Read all terms of a group, in float32; without ``attention``, whose T is 0.

        Raises:
            DataError: the file is damaged or gone.
        """
        terms = {name: tensor.float() for name, tensor in _read(group.path).items()}
        heads = terms["heads"]
        read = HeadContributions(**terms, attention=heads.new_zeros(*heads.shape[:3], 0), layers=self.layers)
        return unit_terms(read) if self.normalise else read

    def __iter__(self) -> Iterator[HeadContributions]:
        return map(self.read, self.groups)

    def layer(self, layer: int, heads: Sequence[int] | None = None) -> Tensor:
        """Read what the heads of one layer add to all images.

        Args:
            layer: one of ``layers``.
            heads: which of its heads, in this order; all by default.

        Returns:
            (H, K, d) float32, as ``textspan`` takes it.

        Raises:
            ValueError: for a layer or a head that is not there.
            DataError: a file is damaged or gone.
        """
        chosen = list(range(self.num_heads) if heads is None else heads)
        if layer not in self.layers or any(not 0 <= head < self.num_heads for head in chosen):
            raise ValueError(
                f"Expected one of the layers {list(self.layers)} and heads of 0 to {self.num_heads - 1}, got {layer} "
                f"and {chosen}."
            )
        place = self.layers.index(layer)
        joined = torch.empty(len(chosen), self.num_images, self.width)  # filled in place: K images may be many
        start = 0
        for group in self.groups:
            rows, embedding = _read_layer(group.path, place)
            rows = rows[:, chosen]  # (B, H, d)
            if self.normalise:
                rows = rows / embedding_lengths(embedding)[:, None, None]
            joined[:, start : start + len(rows)] = rows.transpose(0, 1)
            start += len(rows)
        return joined

    def mean(self) -> HeadContributions:
        """Average every term over all images: contributions of one image, in float32."""
        total: dict[str, Tensor] = {}
        for terms in self:
            for name in _TENSORS:
                own = getattr(terms, name).sum(dim=0, keepdim=True, dtype=torch.float64)
                total[name] = total[name] + own if name in total else own
        means = {name: (value / self.num_images).float() for name, value in total.items()}
        heads = means["heads"]
        return HeadContributions(**means, attention=heads.new_zeros(*heads.shape[:3], 0), layers=self.layers)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in _TENSORS}
    except (SafetensorError, OSError) as error:
        raise _broken(path, f"none that can be read ({error})") from error


def _read_layer(path: Path, place: int) -> tuple[Tensor, Tensor]:
    """Return what the heads of a layer add (B, H, d), and the embeddings (B, d)."""
    try:
        with safe_open(path, framework="pt") as file:
            rows: Tensor = file.get_slice("heads")[:, place]
            embedding: Tensor = file.get_tensor("embedding")
            return rows.float(), embedding.float()
    except (SafetensorError, OSError) as error:
        raise _broken(path, f"none that can be read ({error})") from error


def open_store(run: Path, *, normalise: bool = False) -> ContributionStore:
    """Open the contributions of a finished run of ``HeadDecomposition``.

    Every file is checked against what the run says of itself: the same model, layers and images.

    Args:
        run: folder of the run.
        normalise: divide all terms of an image by the length of its embedding.

    Raises:
        UsageError: the folder holds no such run, or one that is not finished.
        DataError: a file is damaged, missing or of another run, or no image could be read.

    >>> open_store(Path("nowhere"))
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected the folder of a run of ...HeadDecomposition, found none at nowhere; run...
    """
    manifest = read_manifest(run) or {}
    if manifest.get("system") != "head_decomposition":
        raise UsageError(
            f"Expected the folder of a run of mkbench.systems.HeadDecomposition, found none at {run}; run `mkbench "
            "predict` with a configuration such as critters/heads.yaml first."
        )
    missing = set(manifest["groups"]) - set(finished_groups(run))
    if missing:
        raise UsageError(
            f"Expected a finished run at {run}, found one that lacks {len(missing)} of {len(manifest['groups'])} class "
            "groups; run the same `mkbench predict` again to go on with it."
        )
    layers, fingerprint = tuple(manifest["settings"]["layers"]), manifest["model"]["fingerprint"]
    groups, shapes = [], set()
    for key in sorted(manifest["groups"]):
        rows = read_group(group_path(run, key)).rows
        sample_ids = tuple(rows["sample_id"].to_pylist())
        if sample_ids:  # a group without a readable image has no contributions
            shapes.add(read_shape(run, key, sample_ids, fingerprint=fingerprint, layers=layers)[2:])
            groups.append(StoredGroup(contributions_path(run, key), sample_ids, rows["class_index"][0].as_py()))
    if len(shapes) != 1:
        raise DataError(f"Expected contributions of one shape in {run}, found {len(shapes)}; run it again.")
    ((num_heads, width),) = shapes
    return ContributionStore(run, layers, num_heads, width, tuple(groups), normalise)
