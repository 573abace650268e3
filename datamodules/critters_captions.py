"""Images of Critters with their captions, for training the bundled models."""

from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from mkbench.concepts import render_prompts
from mkbench.datamodules.base import require_at_least
from mkbench.datamodules.critters_world import Critter, load_world, render, render_wild
from mkbench.datamodules.resizing import resize_squash
from mkbench.datamodules.worker_processes import prepare_worker
from mkbench.errors import UsageError

CAPTION_TEMPLATES = ("a photo of a {}", "a picture of a {}", "a {}", "one {} in its world")
DESCRIPTOR_TEMPLATES = ("a photo showing {}", "{}", "an animal with {}", "a picture of {}")


class CaptionedImage(NamedTuple):
    """Image with the ground truth that its captions are made of.

    Attributes:
        image: (3, S, S) uint8.
        marked: (3, S, S) uint8; the same image with one visible part circled, as images on the web point at things.
        class_index: index of the class, -1 for an animal of no class.
        ground_truth: (D,) bool; the descriptors that the image shows.
        marked_ground_truth: (D,) bool; those among them that speak of the circled part.
    """

    image: Tensor
    marked: Tensor
    class_index: Tensor
    ground_truth: Tensor
    marked_ground_truth: Tensor


class _Rendered(Dataset[CaptionedImage]):
    """Renders images on demand, those of the classes first; the workers of one pass over it fill the cache."""

    def __init__(self, split: str, per_class: int, wild: int, size: int) -> None:
        self.split, self.per_class, self.wild, self.size = split, per_class, wild, size
        self.world = load_world()

    def __len__(self) -> int:
        return self.per_class * len(self.world.classes) + self.wild

    def _render(self, position: int) -> tuple[Critter, int]:
        """Return an image and its class, -1 if it has none."""
        class_index, index = divmod(position, self.per_class)
        if class_index < len(self.world.classes):
            return render(self.world.class_names[class_index], index, split=self.split), class_index
        return render_wild(position - self.per_class * len(self.world.classes), split=self.split), -1

    def __getitem__(self, position: int) -> CaptionedImage:
        critter, class_index = self._render(position)
        parts = sorted({d.part for d, true in zip(self.world.descriptors, critter.ground_truth, strict=True) if true})
        visible = [part for part in parts if critter.part_mask(part).any() and part != "background"]
        chooser = np.random.default_rng(position)
        part = visible[int(chooser.integers(len(visible)))]
        image = torch.from_numpy(critter.image).permute(2, 0, 1)
        small = resize_squash(image, self.size)
        mask = resize_squash(torch.from_numpy(critter.part_mask(part)).to(torch.uint8)[None] * 255, self.size)[0] > 64
        marked = render_prompts(small, mask)[int(chooser.integers(3))] if mask.any() else small
        ground_truth = torch.from_numpy(critter.ground_truth)
        speaks_of_part = torch.tensor([d.part == part for d in self.world.descriptors])
        return CaptionedImage(small, marked, torch.tensor(class_index), ground_truth, ground_truth & speaks_of_part)


class CrittersCaptions(L.LightningDataModule):
    """Renders every image once, keeps them in memory and serves them shuffled.

    Args:
        image_size: side of the images in pixels.
        train_per_class: training images of each of the 32 classes.
        train_wild: training images of animals of no class, their parts drawn independently.
        val_per_class: validation images of each class.
        batch_size: images a step.
        render_workers: processes that render; 0 renders in this one.

    Raises:
        UsageError: a number below 1, or too few training images for a single batch.
    """

    def __init__(
        self,
        image_size: int = 80,
        train_per_class: int = 300,
        train_wild: int = 6400,
        val_per_class: int = 10,
        batch_size: int = 64,
        render_workers: int = 2,
    ) -> None:
        super().__init__()
        numbers = {
            "image_size": image_size,
            "train_per_class": train_per_class,
            "val_per_class": val_per_class,
            "batch_size": batch_size,
        }
        for option, value in numbers.items():
            require_at_least(1, option, value)
        require_at_least(0, "render_workers", render_workers)
        require_at_least(0, "train_wild", train_wild)
        images = train_per_class * len(load_world().classes) + train_wild
        if images < batch_size:  # an incomplete batch is dropped: training would take no step
            raise UsageError(
                f"Expected --data.batch_size to be at most the {images} training images, found {batch_size}; lower "
                "it or raise --data.train_per_class."
            )
        self.image_size, self.batch_size, self.render_workers = image_size, batch_size, render_workers
        self.counts = {"train": (train_per_class, train_wild), "val": (val_per_class, 0)}
        self._cache: dict[str, TensorDataset] = {}

    def setup(self, stage: str) -> None:
        """Render both splits, unless that has been done."""
        for split, (per_class, wild) in self.counts.items():
            if split not in self._cache:
                self._cache[split] = self._render(_Rendered(split, per_class, wild, self.image_size))

    def _render(self, dataset: _Rendered) -> TensorDataset:
        loader = DataLoader(dataset, batch_size=64, num_workers=self.render_workers, worker_init_fn=prepare_worker)
        return TensorDataset(*(torch.cat(column) for column in zip(*loader, strict=True)))

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return shuffled training batches."""
        return DataLoader(self._cache["train"], self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return validation batches in order."""
        return DataLoader(self._cache["val"], self.batch_size)
