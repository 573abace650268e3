"""Critters, the bundled data set: rendered animals with ground truth."""

import hashlib
import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from mkbench.concepts import ConceptBank, label_groups
from mkbench.datamodules.base import ClassGroupDataModule, require_at_least
from mkbench.datamodules.critters_backgrounds import find_background, find_habitat
from mkbench.datamodules.critters_drawing import PARTS, Pixels
from mkbench.datamodules.critters_interventions import intervene, require_factors
from mkbench.datamodules.critters_world import Critter, load_world, paint_scene, render
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.options import GroupOptions, Unpack
from mkbench.datamodules.sample_subset import SampleSubset

Split = Literal["test", "val", "train", "background", "background-train"]
#: An image that is read and whose ground truth is asked for next is rendered once.
_render = lru_cache(maxsize=1)(render)


@lru_cache(maxsize=1)
def _descriptor_parts() -> Tensor:
    """Return (D,) int64, which of ``PARTS`` each descriptor speaks of; -1 for the scene, and for what no animal has."""
    parts = [entry.part for entry in load_world().descriptors]
    return torch.tensor([PARTS.index(part) if part in PARTS else -1 for part in parts])


@lru_cache
def _class_descriptors(class_index: int) -> Tensor:
    """Return (D,) bool, which descriptors hold for a class in whatever scene."""
    world = load_world()
    attributes = world.classes[world.class_names[class_index]]
    return torch.tensor([entry.is_true(attributes) for entry in world.descriptors])


@dataclass(frozen=True)
class CrittersSource:
    """Renders images on demand; sample ids are ``split/class/index``.

    Attributes:
        split: the split.
        per_class: images of each class.
        seed: seed of the images.
        factors: what is changed, one thing at a time, in further images that are part of the ground truth.

    >>> CrittersSource("test", 2, 0).sample_ids(0)
    ['test/blorp/0000', 'test/blorp/0001']
    """

    split: str
    per_class: int
    seed: int
    factors: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The 32 invented names."""
        return load_world().class_names

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the ids of a class's images."""
        return [f"{self.split}/{self.class_names[class_index]}/{index:04d}" for index in range(self.per_class)]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Render an image as uint8 (3, H, W)."""
        return _to_tensor(self._critter(class_index, sample_id).image)

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth:
        """Return the animal's box and parts, the descriptors that can be seen, and the image with one thing changed."""
        critter = self._critter(class_index, sample_id)
        labels = torch.arange(1, len(PARTS) + 1, dtype=torch.uint8)[:, None, None]
        return ImageGroundTruth(
            boxes=torch.tensor([critter.box()]),
            part_masks=torch.from_numpy(critter.labels) == labels,  # (parts, H, W)
            part_names=PARTS,
            descriptors=torch.from_numpy(critter.ground_truth),
            descriptor_parts=_descriptor_parts(),
            class_descriptors=_class_descriptors(class_index),
            scene=_to_tensor(paint_scene(critter)),
            **self._changed(critter),
        )

    def habitat(self, class_index: int) -> str:
        """Return the background that a kind is tied to in the splits made for it: ``land`` or ``water``."""
        return find_habitat(class_index)

    def background(self, class_index: int, sample_id: str) -> str | None:
        """Return ``land`` or ``water``; None in the splits whose backgrounds have nothing to do with the kinds.

        >>> source = CrittersSource("background", 2, 0)
        >>> [source.background(0, sample_id) for sample_id in source.sample_ids(0)]
        ['land', 'water']
        """
        return find_background(self.split, class_index, _number(sample_id))

    def _changed(self, critter: Critter) -> dict[str, Any]:
        """Return what is known of the image with each factor changed."""
        if not self.factors:
            return {}
        pairs = [intervene(critter, factor, seed=self.seed) for factor in self.factors]
        return {
            "factors": self.factors,
            "changed_images": torch.stack([_to_tensor(pair.critter.image) for pair in pairs]),
            "changed_pixels": torch.stack([torch.from_numpy(pair.changed) for pair in pairs]),
            "changed_descriptors": torch.stack([torch.from_numpy(pair.critter.ground_truth) for pair in pairs]),
        }

    def _critter(self, class_index: int, sample_id: str) -> Critter:
        return _render(self.class_names[class_index], _number(sample_id), split=self.split, seed=self.seed)


def _to_tensor(image: Pixels) -> Tensor:
    """(H, W, 3) -> (3, H, W)."""
    return torch.from_numpy(image).permute(2, 0, 1)


def _number(sample_id: str) -> int:
    return int(sample_id.rsplit("/", 1)[1])


class Critters(ClassGroupDataModule):
    """The bundled data set: 32 kinds of invented animals, rendered with ground truth about every part.

    Args:
        split: ``"test"``, ``"val"`` or ``"train"``, whose backgrounds have nothing to do with the kinds; or one of two
            where each kind has a habitat, ``land`` or ``water``, as in Waterbirds: ``"background-train"``, where 19 of
            20 images of a kind show its habitat, and ``"background"``, where every second one does.
        images_per_class: images of each class.
        seed: seed of the images.
        intervention: what is changed, one thing at a time, in further images with ground truth of their own, which
            scorers such as :class:`mkbench.scorers.InterventionScorer` compare with; any of ``colour``, ``pattern``,
            ``ears``, ``muzzle``, ``tail``, ``legs``, ``horns``, ``wings``, ``back``, ``background`` and
            ``removed_part``. None: nothing.
        templates: see :class:`ClassGroupDataModule`.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: a number of images below 1, something that cannot be changed, or what
            :class:`ClassGroupDataModule` refuses.

    >>> data = Critters(images_per_class=3, limit_classes=2)
    >>> [spec.key for spec in data.specs], len(data.class_names)
    (['00000-000', '00001-000'], 32)
    """

    def __init__(
        self,
        *,
        split: Split = "test",
        images_per_class: int = 10,
        seed: int = 0,
        intervention: list[str] | None = None,
        templates: str | list[str] = "critters",
        **options: Unpack[GroupOptions],
    ) -> None:
        super().__init__(bank=None, templates=templates, **options)
        require_at_least(1, "images_per_class", images_per_class)
        self.name = f"critters-{split}"
        self.split, self.images_per_class, self.seed = split, images_per_class, seed
        self.intervention = require_factors(intervention or ())

    def make_source(self) -> CrittersSource:
        """Return the renderer."""
        return CrittersSource(self.split, self.images_per_class, self.seed, self.intervention)

    def with_intervention(self, factors: Sequence[str]) -> "Critters":
        """Return the same images, of which the ground truth has further ones with one thing changed at a time.

        Args:
            factors: what is changed, as for ``intervention``.

        Raises:
            UsageError: something that cannot be changed.

        >>> Critters(limit_classes=1).with_intervention(["tail"]).source.factors
        ('tail',)
        """
        changed = copy(self)
        changed.intervention = require_factors(factors)
        source = self.source
        changed.source = (
            replace(source, source=changed.make_source()) if isinstance(source, SampleSubset) else changed.make_source()
        )
        return changed

    @cached_property
    def bank(self) -> ConceptBank:
        """The descriptors of the world, of which at least 60 are true of no class."""
        world = load_world()
        texts = tuple(entry.text for entry in world.descriptors)
        by_class = {
            name: tuple(texts.index(text) for text in world.class_descriptors(name)) for name in world.class_names
        }
        digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
        facts = label_groups(tuple(sorted(entry.requires.items())) for entry in world.descriptors)
        return ConceptBank(
            descriptors=texts, by_class=by_class, source="critters", sha256=digest, groups=tuple(facts.tolist())
        )

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data, the seed with it: sample ids do not tell seeds apart."""
        changed = {"intervention": list(self.intervention)} if self.intervention else {}
        return super().describe() | {"seed": self.seed} | changed
