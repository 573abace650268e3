"""Reading of image files: which files count as images, and their pixels as uint8 RGB."""

import io
import os
import stat
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from mkbench.errors import DataError
from mkbench.text_files import is_utf8, printable

#: Formats that are read, by their names in Pillow. Others that it knows run programs (EPS), hold no pixels of their own
#: (PDF, WMF), or belong to games and instruments.
_FORMATS = frozenset({"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})
#: Formats whose pixels of Pillow's mode "I" are 16-bit levels always.
_SIXTEEN_BITS = frozenset({"PNG", "PPM"})
#: Most pixels of an image, before anything of it is decoded: from here on Pillow itself warns of decompression bombs.
MOST_PIXELS = 89_478_485
#: Where Pillow refuses an image, whatever the limit.
PILLOW_LIMIT = 2 * MOST_PIXELS

Image.init()
#: Suffixes of image files, all that Pillow has for the formats that are read: ``.jpg``, ``.jfif``, ``.avif``, ...
IMAGE_SUFFIXES = frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in _FORMATS)
_OPENED = sorted(_FORMATS & set(Image.OPEN))
#: EXIF orientation -> how to turn the pixels; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoding:
    """Options of decoding image files into pixels.

    Attributes:
        exif_orientation: turn an image upright by what the camera noted; the loaders that published numbers come from
            do not.
        max_pixels: most pixels of an image; a larger one is not decoded and counts as unreadable.

    >>> Decoding().exif_orientation
    False
    """

    exif_orientation: bool = False
    max_pixels: int = MOST_PIXELS


#: As published loaders do.
AS_STORED = Decoding()


def is_image_name(name: str) -> bool:
    """Tell whether a file of this name counts as an image: by its suffix, in any case, unless it is hidden.

    >>> is_image_name("owl.JPG"), is_image_name("owl.jfif"), is_image_name("owl.txt"), is_image_name("._owl.jpg")
    (True, True, False, False)
    """
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def list_image_names(folder: Path) -> list[str]:
    """Return the names of the images directly in a folder, sorted; hidden ones are left out, links are followed.

    Raises:
        DataError: a name is not UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("2.png", "1.png", "notes.txt"):
    ...         (Path(folder) / name).touch()
    ...     list_image_names(Path(folder))
    ['1.png', '2.png']
    """
    return require_utf8_names((name for name in _list_file_names(folder) if is_image_name(name)), folder)


def list_other_names(folder: Path) -> list[str]:
    """Return the names of the files directly in a folder that do not count as images, sorted; without hidden ones.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("1.png", "notes.txt"):
    ...         (Path(folder) / name).touch()
    ...     list_other_names(Path(folder))
    ['notes.txt']
    """
    return sorted(name for name in _list_file_names(folder) if not is_image_name(name))


def _list_file_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".") and not _is_folder(entry)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def require_utf8_names(names: Iterable[str], where: Path) -> list[str]:
    """Return names sorted, if all of them can be written to results.

    Args:
        names: of files or folders.
        where: the folder or archive they are in.

    Raises:
        DataError: a name is not UTF-8.

    >>> require_utf8_names(["owl.png", "bat.png"], Path("images"))
    ['bat.png', 'owl.png']
    """
    listed = sorted(names)
    strange = [name for name in listed if not is_utf8(name)]
    if strange:
        raise DataError(
            f"Expected names in UTF-8 in {printable(str(where))}, found {len(strange)} of {len(listed)} that are not "
            f"(such as {printable(strange[0])}, where \\udcXX stands for the byte XX); rename them, for instance with "
            "the program convmv."
        )
    return listed


def read_image(path: Path, decoding: Decoding = AS_STORED) -> Tensor:
    """Decode an image to uint8 RGB (3, H, W).

    Transparency is dropped. Grey levels of more than 8 bits are scaled: 16-bit levels by 1/257; levels of 32 bits by
    1/257 if one is above 255, otherwise not at all; floating-point levels also by 255 if none is above 1. Of several
    frames the first is taken.

    Args:
        path: the file.
        decoding: how it is decoded; by default as it is stored.

    Raises:
        DataError: the file is missing, truncated, too large or no image, or has levels below 0 or above 65535.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "red.png"
    ...     Image.new("RGB", (1, 2), (255, 0, 0)).save(path)
    ...     image = read_image(path)
    >>> image.shape, image[:, 0, 0].tolist()
    (torch.Size([3, 2, 1]), [255, 0, 0])
    """
    return _decode(path, printable(str(path)), decoding)


def decode_image(encoded: bytes, where: str, decoding: Decoding = AS_STORED) -> Tensor:
    """Decode the bytes of an image file as :func:`read_image` does.

    Args:
        encoded: content of the file.
        where: what to call the image in a message.
        decoding: see :func:`read_image`.

    Raises:
        DataError: they are truncated, too many pixels or no image.

    >>> file = io.BytesIO()
    >>> Image.new("RGB", (1, 2), (255, 0, 0)).save(file, format="PNG")
    >>> decode_image(file.getvalue(), "row 7").shape
    torch.Size([3, 2, 1])
    """
    return _decode(io.BytesIO(encoded), printable(where), decoding)


def _decode(file: Path | io.BytesIO, where: str, decoding: Decoding) -> Tensor:
    try:
        if isinstance(file, Path) and not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for ever
            raise ValueError("no regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is the user's own
            with Image.open(file, formats=_OPENED) as image:
                if image.width * image.height > decoding.max_pixels:
                    raise ValueError(
                        f"{image.width} x {image.height} pixels, more than the {decoding.max_pixels:,} of max_pixels"
                    )
                return image_pixels(image, exif_orientation=decoding.exif_orientation)
    except Exception as error:  # a damaged file makes the decoders raise nearly anything, and must not end a run
        raise DataError(
            f"Expected a readable image at {where}, found {_reason(error)}; replace or remove the file."
        ) from error


def image_pixels(image: Image.Image, *, exif_orientation: bool = False) -> Tensor:
    """Return the pixels of a Pillow image as uint8 RGB (3, H, W), as :func:`read_image` does.

    Args:
        image: the image.
        exif_orientation: turn it upright by what the camera noted.

    >>> image_pixels(Image.new("L", (4, 2))).shape
    torch.Size([3, 2, 4])
    """
    image.load()
    pixels = _to_rgb(image)
    if exif_orientation:
        pixels = _turn_upright(pixels, image)
    turned: Tensor = transforms.pil_to_tensor(pixels)
    return turned


def _turn_upright(pixels: Image.Image, noted: Image.Image) -> Image.Image:
    """Turn pixels as the EXIF data of the image they come from say."""
    try:
        turn = _TURNS.get(noted.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data say nothing, and the pixels are good
        turn = None
    return pixels if turn is None else pixels.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow itself would clip levels to 255
        sixteen_bits = image.mode.startswith("I;16") or image.format in _SIXTEEN_BITS
        image = Image.fromarray(_eight_bits(np.asarray(image), sixteen_bits=sixteen_bits))
    if "transparency" in image.info:  # Pillow warns of what gets lost on the straight way
        image = image.convert("RGBA")
    return image.convert("RGB")


def _eight_bits(levels: NDArray[np.generic], *, sixteen_bits: bool) -> NDArray[np.uint8]:
    """Scale grey levels, (H, W) of any type, by what their type and values say of their range."""
    values = levels.astype(np.float64)
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= 65535:
        raise ValueError(f"grey levels from {low:g} to {high:g}, where those of 8 or 16 bits, or 0 to 1, can be scaled")
    if sixteen_bits or high > 255:
        values = values / 257
    elif high <= 1 and levels.dtype.kind == "f":
        values = values * 255
    return np.round(values).astype(np.uint8)


def _reason(error: Exception) -> str:
    """Say in words what was found instead of an image."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "something that is no image"
    return f"one that cannot be decoded ({printable(str(error)) or type(error).__name__})"
