"""A DataModule of your own: squares of one colour on a grey ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mkbench.datamodules import ClassGroupDataModule

COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 80, 220)}


@dataclass(frozen=True)
class SquaresSource:
    """Where images come from; cheap to copy to the processes that read them."""

    per_class: int
    class_names: tuple[str, ...] = tuple(COLOURS)  # their order is the class order

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """The images of a class, in a fixed order; ids are unique within the data set."""
        return [f"{self.class_names[class_index]}/{number}" for number in range(self.per_class)]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """An image, uint8 (3, H, W), of any size; raise `mkbench.errors.DataError` if it cannot be read."""
        image = torch.full((3, 96, 96), 128, dtype=torch.uint8)
        start = 8 + 8 * int(sample_id.rpartition("/")[2])
        colour = torch.tensor(COLOURS[self.class_names[class_index]], dtype=torch.uint8)
        image[:, start : start + 48, start : start + 48] = colour[:, None, None]
        return image


class Squares(ClassGroupDataModule):
    """Three classes of squares; resizing, class groups, resume and devices come with the base class.

    Args:
        images_per_class: images of each class, 1 to 5.
        bank: file of descriptors.
    """

    def __init__(self, *, images_per_class: int = 2, bank: Path | None = None) -> None:
        super().__init__(bank=bank)
        self.name, self.images_per_class = "squares", images_per_class

    def make_source(self) -> SquaresSource:
        """Return the images; called once."""
        return SquaresSource(self.images_per_class)
