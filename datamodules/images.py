"""Reading images and bringing them into a model's geometry, as uint8 so that regions can still be drawn on them."""

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from mkbench.backbones import Geometry
from mkbench.errors import DataError

#: ``squash``: bilinear to a square without crop, as the published numbers; ``model``: the weights' own transform.
Resize = Literal["squash", "model"]
#: (..., H, W) image, side S of the square, interpolation -> (..., S, S).
Resizer = Callable[[Tensor, int, InterpolationMode], Tensor]
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})


def is_image_name(name: str) -> bool:
    """Tell whether a file of this name counts as an image: by its suffix, in any case, unless it is hidden.

    >>> is_image_name("owl.JPG"), is_image_name("owl.txt"), is_image_name("._owl.jpg")
    (True, False, False)
    """
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def list_image_names(folder: Path) -> list[str]:
    """Return the names of the images directly in a folder, sorted; hidden ones are left out, links are followed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("2.png", "1.png", "notes.txt"):
    ...         (Path(folder) / name).touch()
    ...     list_image_names(Path(folder))
    ['1.png', '2.png']
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if is_image_name(entry.name) and not entry.is_dir())


def read_image(path: Path) -> Tensor:
    """Decode an image to uint8 RGB (3, H, W) as it is stored.

    EXIF orientation is not applied: the loaders that published numbers come from ignore it.

    Transparency is dropped; 16-bit grey levels are scaled to 8 bits. Of several frames the first is taken.

    Raises:
        DataError: the file is missing, truncated or no image.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "red.png"
    ...     Image.new("RGB", (1, 2), (255, 0, 0)).save(path)
    ...     image = read_image(path)
    >>> image.shape, image[:, 0, 0].tolist()
    (torch.Size([3, 2, 1]), [255, 0, 0])
    """
    return _decode(path, str(path))


def decode_image(encoded: bytes, where: str) -> Tensor:
    """Decode the bytes of an image file as :func:`read_image` does.

    Args:
        encoded: content of the file.
        where: what to call the image in a message.

    Raises:
        DataError: they are truncated or no image.

    >>> file = io.BytesIO()
    >>> Image.new("RGB", (1, 2), (255, 0, 0)).save(file, format="PNG")
    >>> decode_image(file.getvalue(), "row 7").shape
    torch.Size([3, 2, 1])
    """
    return _decode(io.BytesIO(encoded), where)


def _decode(file: Path | io.BytesIO, where: str) -> Tensor:
    try:
        with Image.open(file) as image:
            return image_pixels(image)
    except Exception as error:  # a damaged file makes the decoders raise nearly anything, and must not end a run
        raise DataError(
            f"Expected a readable image at {where}, found {_reason(error)}; replace or remove the file."
        ) from error


def image_pixels(image: Image.Image) -> Tensor:
    """Return the pixels of a Pillow image as uint8 RGB (3, H, W), as :func:`read_image` does.

    >>> image_pixels(Image.new("L", (4, 2))).shape
    torch.Size([3, 2, 4])
    """
    pixels: Tensor = transforms.pil_to_tensor(_to_rgb(image))
    return pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown")
    if image.mode.startswith("I"):  # Pillow itself would clip 16-bit levels to 255
        levels = np.asarray(image).astype(np.float64).clip(0, 65535) / 257
        image = Image.fromarray(np.round(levels).astype(np.uint8))
    if "transparency" in image.info:  # Pillow warns of what gets lost on the straight way
        image = image.convert("RGBA")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """Say in words what was found instead of an image."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "something that is no image"
    return f"one that cannot be decoded ({str(error) or type(error).__name__})"


def resize_squash(image: Tensor, size: int) -> Tensor:
    """Resize (..., H, W) uint8 to (..., size, size) bilinearly with antialiasing, changing the aspect ratio.

    >>> resize_squash(torch.zeros(3, 20, 40, dtype=torch.uint8), 16).shape
    torch.Size([3, 16, 16])
    """
    return _squash(image, size, InterpolationMode.BILINEAR)


def resize_image(image: Tensor, geometry: Geometry, resize: Resize) -> Tensor:
    """Bring a (3, H, W) uint8 image to (3, S, S) uint8.

    Args:
        image: (3, H, W) uint8.
        geometry: the model's geometry.
        resize: ``"squash"``, bilinear to a square, or ``"model"``, the resizing of ``geometry``.

    Raises:
        ValueError: another way of resizing.

    >>> geometry = Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> resize_image(torch.zeros(3, 20, 40, dtype=torch.uint8), geometry, "model").shape
    torch.Size([3, 8, 8])
    """
    interpolation = "bilinear" if resize == "squash" else geometry.interpolation
    return _resizer(geometry, resize)(image, geometry.size, InterpolationMode(interpolation))


def source_pixels(shape: tuple[int, int], geometry: Geometry, resize: Resize) -> tuple[Tensor, Tensor]:
    """Return where the rows and columns of :func:`resize_image` come from: the nearest ones of the image.

    They are read off by resizing the numbers of rows and columns themselves, so whatever is known of the pixels of a
    image goes the very way that the image goes.

    Args:
        shape: height H and width W of the image.
        geometry: the model's geometry.
        resize: as for :func:`resize_image`.

    Returns:
        (S,) int64 row 0..H-1 that each row shows, and (S,) int64 column 0..W-1 that each column shows; -1 where the
        image is padded.

    Raises:
        ValueError: another way of resizing.

    >>> geometry = Geometry(size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> rows, columns = source_pixels((4, 8), geometry, "squash")
    >>> rows.tolist(), columns.tolist()
    ([0, 1, 2, 3], [1, 3, 5, 7])
    >>> source_pixels((4, 8), geometry, "model")[1].tolist()
    [2, 3, 4, 5]
    """
    numbers = [torch.arange(1, side + 1, dtype=torch.float32) for side in shape]  # 0 is left for the padding
    grids = torch.stack(torch.meshgrid(*numbers, indexing="ij"))  # (2, height, width)
    shown = _resizer(geometry, resize)(grids, geometry.size, InterpolationMode.NEAREST_EXACT).long() - 1
    return shown[0].amax(dim=1), shown[1].amax(dim=0)


def _resizer(geometry: Geometry, resize: Resize) -> Resizer:
    if resize not in get_args(Resize):
        raise ValueError(f"Expected resize to be one of {get_args(Resize)}, got {resize!r}.")
    return _RESIZERS["squash" if resize == "squash" else geometry.resize_mode]


def _squash(image: Tensor, size: int, interpolation: InterpolationMode) -> Tensor:
    return _resize(image, [size, size], interpolation)


def _shortest(image: Tensor, size: int, interpolation: InterpolationMode) -> Tensor:
    return _crop(_resize(image, [size], interpolation), size)


def _longest(image: Tensor, size: int, interpolation: InterpolationMode) -> Tensor:
    ratio = max(image.shape[-2:]) / size
    shape = [max(round(side / ratio), 1) for side in image.shape[-2:]]
    return _crop(_resize(image, shape, interpolation), size)


def _resize(image: Tensor, shape: list[int], interpolation: InterpolationMode) -> Tensor:
    resized: Tensor = transforms.resize(image, shape, interpolation=interpolation, antialias=True)
    return resized


def _crop(image: Tensor, size: int) -> Tensor:
    """Crop the centre; where the image is smaller, pad with black."""
    cropped: Tensor = transforms.center_crop(image, [size, size])
    return cropped


_RESIZERS: Mapping[str, Resizer] = {
    "squash": _squash,
    "shortest": _shortest,
    "longest": _longest,
}
