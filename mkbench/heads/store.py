"""Store of head contributions: all class groups of a run, read in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mkbench.errors import DataError, UsageError
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_values import embedding_lengths, unit_terms
from mkbench.heads.stored_contributions import TERMS, contributions_path, read_layer, read_shape, read_terms
from mkbench.runs.group_files import finished_groups, read_group
from mkbench.runs.manifest import read_manifest
from mkbench.runs.run_folder import group_path


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
        terms = {name: tensor.float() for name, tensor in read_terms(group.path).items()}
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
            rows, embedding = read_layer(group.path, place)
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
            for name in TERMS:
                own = getattr(terms, name).sum(dim=0, keepdim=True, dtype=torch.float64)
                total[name] = total[name] + own if name in total else own
        means = {name: (value / self.num_images).float() for name, value in total.items()}
        heads = means["heads"]
        return HeadContributions(**means, attention=heads.new_zeros(*heads.shape[:3], 0), layers=self.layers)


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
