"""Base class of the DataModules: class groups, a concept bank and class prompts; a subclass names its images."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import lightning as L
from torch.utils.data import DataLoader

from mkbench.backbones import Geometry
from mkbench.concepts import ConceptBank, load_bank
from mkbench.concepts.templates import require_template
from mkbench.datamodules.class_groups import (
    IDLE,
    ClassGroup,
    ClassGroupDataset,
    GroupSpec,
    ImageSource,
    OnBadImage,
    content_of,
    split_groups,
)
from mkbench.datamodules.group_loader import group_loader
from mkbench.datamodules.image_files import MOST_PIXELS, PILLOW_LIMIT, Decoding
from mkbench.datamodules.resizing import Resize
from mkbench.datamodules.sample_subset import SampleSubset, choose_samples
from mkbench.errors import DataError, UsageError
from mkbench.language_models.bank_origin import bank_origin


def load_templates(templates: str | list[str]) -> tuple[str, ...]:
    """Return prompt templates by the name of a packaged set, or the given ones.

    Args:
        templates: name of a packaged set, or texts with ``{}`` where the class name goes.

    Raises:
        UsageError: an unknown set, no template, or one that does not hold ``{}`` once.

    >>> load_templates("food101")
    ('a photo of {}, a type of food.',)
    """
    if isinstance(templates, str):
        packaged = json.loads((resources.files("mkbench") / "assets" / "templates.json").read_text(encoding="utf-8"))
        if templates not in packaged:
            raise UsageError(
                f"Expected --data.templates to be one of {', '.join(sorted(packaged))} or a list of templates, found "
                f"{templates!r}; correct the name, or write a template of your own as a list."
            )
        templates = packaged[templates]
    if not templates:
        raise UsageError("Expected at least one prompt template, found none; correct --data.templates.")
    for template in templates:
        require_template("--data.templates", template)
    return tuple(templates)


def optional_path(path: str | Path | None) -> Path | None:
    """Return the path of a file that need not be given.

    >>> optional_path("names.txt") == Path("names.txt"), optional_path(None)
    (True, None)
    """
    return None if path is None else Path(path)


def require_at_least(least: int, option: str, value: int | None) -> None:
    """Check a number of the command line; None stands for no limit.

    Raises:
        UsageError: it is smaller.

    >>> require_at_least(1, "limit_classes", 3)
    """
    if value is not None and value < least:
        raise UsageError(f"Expected --data.{option} to be at least {least}, found {value}; give a larger number.")


class ClassGroupDataModule(L.LightningDataModule, ABC):
    """Base class of the DataModules: class groups, a concept bank and class prompts for a system.

    A subclass says in ``make_source`` where its images come from.

    Args:
        bank: file of descriptors; None where the data set brings its own.
        templates: class prompts: the name of a packaged set, or a list of templates with ``{}``.
        limit_classes: evaluate the images of the first classes only; prediction is still among all classes.
        limit_images_per_class: evaluate the first images of each class only.
        samples: file of the sample ids to evaluate, one a line; the limits count what is left of a class.
        group_size: most images that are explained together; None: all of a class, as published.
        resize: ``squash`` (bilinear to a square, as published) or ``model`` (the weights' own transform).
        on_bad_image: ``skip`` names, counts and leaves out images that cannot be read; ``raise`` stops.
        max_pixels: most pixels of an image file; a larger one counts as one that cannot be read. At most 178,956,970.
        num_workers: processes that decode images; 0 decodes in the process of the model.

    Attributes:
        name: how results call the data set.
        labelled: whether the class of every image is known.
        decoding: how image files are decoded: as they are stored, unless a subclass turns them.
        finished: keys of groups that need not be read again.

    Raises:
        UsageError: a limit below 1 or above what can be, or templates that are none.
    """

    labelled: bool = True

    def __init__(
        self,
        *,
        bank: str | Path | None = None,
        templates: str | list[str] = "default",
        limit_classes: int | None = None,
        limit_images_per_class: int | None = None,
        samples: str | Path | None = None,
        group_size: int | None = None,
        resize: Resize = "squash",
        on_bad_image: OnBadImage = "skip",
        max_pixels: int = MOST_PIXELS,
        num_workers: int = 2,
    ) -> None:
        super().__init__()
        require_at_least(1, "limit_classes", limit_classes)
        require_at_least(1, "limit_images_per_class", limit_images_per_class)
        require_at_least(1, "group_size", group_size)
        require_at_least(1, "max_pixels", max_pixels)
        require_at_least(0, "num_workers", num_workers)
        if max_pixels > PILLOW_LIMIT:
            raise UsageError(
                f"Expected --data.max_pixels to be at most {PILLOW_LIMIT}, which is what Pillow decodes, found "
                f"{max_pixels}; shrink larger images first."
            )
        self.name: str = type(self).__name__
        self.bank_file, self.samples_file = optional_path(bank), optional_path(samples)
        self.templates = load_templates(templates)
        self.limit_classes, self.limit_images_per_class = limit_classes, limit_images_per_class
        self.group_size, self.resize, self.on_bad_image = group_size, resize, on_bad_image
        self.decoding = Decoding(max_pixels=max_pixels)
        self.num_workers = num_workers
        self.finished: Collection[str] = ()

    @abstractmethod
    def make_source(self) -> ImageSource:
        """Return the images; called once."""

    @cached_property
    def source(self) -> ImageSource:
        """The images to evaluate."""
        source = self.make_source()
        return source if self.samples_file is None else choose_samples(source, self.samples_file)

    @cached_property
    def bank(self) -> ConceptBank:
        """The concept bank."""
        if self.bank_file is None:
            raise UsageError(
                "Expected a concept bank, found none; give a JSON or text file of descriptors with --data.bank FILE."
            )
        return load_bank(self.bank_file)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in class order; prediction is among all of them."""
        return self.source.class_names

    @cached_property
    def specs(self) -> list[GroupSpec]:
        """All groups of the run, finished or not."""
        classes = min(self.limit_classes or len(self.class_names), len(self.class_names))
        specs = split_groups(
            self.source,
            classes,
            group_size=self.group_size,
            limit=self.limit_images_per_class,
            labelled=self.labelled,
        )
        if not specs:
            raise DataError(
                f"Expected images of the first {classes} classes, found none; raise --data.limit_classes or check "
                "--data.samples."
            )
        return specs

    def other_files(self) -> list[str]:
        """Return the files beside the images that do not count as images; none of archives and tables."""
        source = self.source.source if isinstance(self.source, SampleSubset) else self.source
        look_up = getattr(source, "other_files", None)
        if look_up is None:
            return []
        return [name for index in sorted({spec.listed_under for spec in self.specs}) for name in look_up(index)]

    def content(self, spec: GroupSpec) -> str | None:
        """Return the digest of the files of a group's images as they are now; None where they come from no files."""
        return content_of(self.source, spec)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data in a result: a change of it makes results incomparable."""
        return {
            "name": self.name,
            "classes": len({spec.class_index for spec in self.specs if spec.class_index is not None}),
            "class_list": len(self.class_names),
            "class_names_sha256": hashlib.sha256(json.dumps(self.class_names).encode()).hexdigest(),
            "bank": {
                "source": Path(self.bank.source).name,
                "sha256": self.bank.sha256,
                "size": len(self.bank),
                **bank_origin(self.bank_file, self.bank.sha256),
            },
            "templates": list(self.templates),
            "group_size": self.group_size,
            "limit_images_per_class": self.limit_images_per_class,
            "samples_sha256": self.source.sha256 if isinstance(self.source, SampleSubset) else None,
            "resize": self.resize,
        }

    def dataset(
        self, geometry: Geometry, specs: list[GroupSpec], *, with_ground_truth: bool = False
    ) -> ClassGroupDataset:
        """Return the given groups in a model's geometry, with what is known of their images if it is wanted.

        Raises:
            UsageError: it is wanted, and nothing is known.
        """
        return ClassGroupDataset(
            self.source,
            specs,
            geometry,
            resize=self.resize,
            on_bad_image=self.on_bad_image,
            with_ground_truth=with_ground_truth,
        )

    def predict_dataloader(self) -> DataLoader[ClassGroup]:
        """Return the unfinished groups, one at a time; Lightning shares them out to devices without repeats.

        Raises:
            UsageError: the system has no ``geometry``, so that the size of its images is unknown; or it measures
                against ground truth that this data does not know.
        """
        trainer = self.trainer
        module = None if trainer is None else trainer.lightning_module
        geometry = getattr(module, "geometry", None)
        if trainer is None or not isinstance(geometry, Geometry):
            raise UsageError(
                f"Expected a system with a `geometry` to read images for, found {type(module).__name__} without; "
                "choose a system such as mkbench.systems.MutualKnowledge with --model."
            )
        todo = [spec for spec in self.specs if spec.key not in self.finished]
        if todo:  # a device without any group would fail, and the others would wait for it
            todo += [IDLE] * (trainer.world_size - len(todo))
        dataset = self.dataset(geometry, todo, with_ground_truth=bool(getattr(module, "needs_ground_truth", False)))
        return group_loader(dataset, num_workers=self.num_workers, device=trainer.strategy.root_device)


def attached_data(trainer: L.Trainer) -> ClassGroupDataModule:
    """Return the DataModule of class groups that a trainer runs on.

    Raises:
        UsageError: it has none, or one of another kind.
    """
    data: Any = getattr(trainer, "datamodule", None)
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(
            f"Expected a DataModule of class groups in `data`, found {type(data).__name__}; take one of "
            "mkbench.datamodules, or make yours a subclass of mkbench.datamodules.ClassGroupDataModule, of which "
            "`make_source` returns the images of each class."
        )
    return data
