"""Resizing of images to a model's geometry, as uint8 so that regions can still be drawn on them."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from mkbench.backbones import Geometry
from mkbench.errors import DataError

#: ``squash``: bilinear to a square without crop, as the published numbers; ``model``: the weights' own transform.
Resize = Literal["squash", "model"]
#: (..., H, W) image, side S of the square, interpolation -> (..., S, S).
Resizer = Callable[[Tensor, int, InterpolationMode], Tensor]
#: Longest side, in shortest ones, of an image that is cropped after resizing: 224 x 224 pixels of 20,000 x 2 would be
#: cut out of 2,240,000 x 224.
LONGEST_SIDE = 100


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
        DataError: the image is cropped, and more than 100 times as long as wide.
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
        DataError: as :func:`resize_image`.
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
    height, width = image.shape[-2:]
    if max(height, width) > LONGEST_SIDE * min(height, width):
        raise DataError(
            f"Expected an image at most {LONGEST_SIDE} times as long as wide, of which the model's transform crops the "
            f"centre, found {width} x {height} pixels; remove the image, or give --data.resize squash."
        )
    shape = [int(size * side / min(height, width)) for side in (height, width)]
    return _crop(_resize(image, shape, interpolation), size)


def _longest(image: Tensor, size: int, interpolation: InterpolationMode) -> Tensor:
    ratio = max(image.shape[-2:]) / size
    shape = [max(round(side / ratio), 1) for side in image.shape[-2:]]
    return _crop(_resize(image, shape, interpolation), size)


def _resize(image: Tensor, shape: list[int], interpolation: InterpolationMode) -> Tensor:
    if image.dtype == torch.uint8 and interpolation is InterpolationMode.BILINEAR:
        # torchvision takes whole numbers where the processor has AVX2, as Pillow does, and floats elsewhere,
        # which rounds one value in six to the other side; this takes whole numbers on every processor.
        flat = image.flatten(end_dim=-3)[None]  # (1, channels, height, width)
        shrunk = interpolate(flat, shape, mode="bilinear", antialias=True, align_corners=False)
        return shrunk.reshape(*image.shape[:-2], *shape)
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
