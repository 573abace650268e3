"""Query images: those of a finished run, and files in the same geometry."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mkbench.backbones import Geometry
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.image_files import read_image
from mkbench.datamodules.resizing import resize_image
from mkbench.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class QueryImage:
    """Image of a query.

    Attributes:
        name: the sample id, or the path as it was given for an image from outside the data.
        pixels: (3, S, S) uint8, in the model's geometry.
        sha256: of the pixels of an image from outside the data; None where a sample id says which one it is.
    """

    name: str
    pixels: Tensor
    sha256: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return what tells this image from others, as JSON.

        >>> QueryImage("test/owl/0001", torch.zeros(3, 8, 8, dtype=torch.uint8)).describe()
        {'image': 'test/owl/0001'}
        """
        return {"image": self.name} | ({} if self.sha256 is None else {"image_sha256": self.sha256})


class RunImages:
    """Look-up of images by sample id or file.

    Args:
        data: of the run.
        geometry: of its model.

    >>> from mkbench.datamodules import Critters
    >>> geometry = Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> images = RunImages(Critters(images_per_class=2, limit_classes=1), geometry)
    >>> images.find("test/blorp/0001").pixels.shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, data: ClassGroupDataModule, geometry: Geometry) -> None:
        self.data, self.geometry = data, geometry

    @cached_property
    def _listed_under(self) -> dict[str, int]:
        return {name: spec.listed_under for spec in self.data.specs for name in spec.sample_ids}

    def read(self, sample_ids: Sequence[str]) -> Tensor:
        """Read images of the data, (n, 3, S, S) uint8.

        Raises:
            DataError: one of them cannot be read.
        """
        images = [self._fit(self._read(name)) for name in sample_ids]
        size = self.geometry.size
        return torch.stack(images) if images else torch.empty(0, 3, size, size, dtype=torch.uint8)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The images of the data."""
        return tuple(self._listed_under)

    def sample(self, sample_id: str) -> QueryImage:
        """Return an image of the data.

        Raises:
            UsageError: there is no such image.
            DataError: it cannot be read.
        """
        if sample_id not in self._listed_under:
            raise UsageError(
                f"Expected an image of {self.data.name}, found {sample_id!r}; "
                f"{did_you_mean(sample_id, list(self._listed_under))}."
            )
        return QueryImage(sample_id, self._fit(self._read(sample_id)))

    def fit(self, name: str, pixels: Tensor) -> QueryImage:
        """Return an image from outside the data in the model's geometry.

        Args:
            name: what results call it.
            pixels: (3, H, W) uint8.
        """
        digest = hashlib.sha256(repr(tuple(pixels.shape)).encode() + pixels.contiguous().numpy().tobytes()).hexdigest()
        return QueryImage(name, self._fit(pixels), digest)

    def find(self, image: str | QueryImage) -> QueryImage:
        """Find an image: a sample id first, then a file; a file of the data is known again by path and pixels.

        Args:
            image: its id or its path; one that was found already is returned.

        Raises:
            UsageError: it is neither.
            DataError: it cannot be read.
        """
        if isinstance(image, QueryImage):
            return image
        if image in self._listed_under:
            return self.sample(image)
        path = Path(image)
        if not path.exists():
            raise UsageError(
                f"Expected --image to be an image file or a sample id of {self.data.name}, found {image!r}, which is "
                f"neither; {did_you_mean(image, list(self._listed_under))}."
            )
        pixels = read_image(path)
        sample_id = self._recognise(path, pixels)
        return QueryImage(sample_id, self._fit(pixels)) if sample_id else self.fit(image, pixels)

    def _recognise(self, path: Path, pixels: Tensor) -> str | None:
        """Return the sample id of a file of the data; None for one from elsewhere."""
        parts = path.resolve().parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        known = [end for end in ends if end in self._listed_under]
        return next((end for end in known if torch.equal(self._read(end), pixels)), None)

    def _read(self, sample_id: str) -> Tensor:
        return self.data.source.read(self._listed_under[sample_id], sample_id)

    def _fit(self, image: Tensor) -> Tensor:
        return resize_image(image, self.geometry, self.data.resize)
