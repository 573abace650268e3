"""Smaller copies of a run's figures, held by the page itself."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mkbench.errors import DataError

_WIDTH, _QUALITY = 1000, 75  # pixels; of WebP


@dataclass(frozen=True)
class FigureCopy:
    """A smaller copy of a figure.

    Attributes:
        title: of its metadata; empty where it has none.
        uri: the copy as a ``data:`` address.
        width: of the copy, pixels.
        height: of the copy, pixels.
    """

    title: str
    uri: str
    width: int
    height: int


def read_figure(path: Path, remedy: str, *, most: int = _WIDTH) -> FigureCopy:
    """Read a PNG and make a copy of it.

    Args:
        path: of the figure.
        remedy: the command that draws it.
        most: widest copy, pixels.

    Raises:
        DataError: it is damaged.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            title = str(image.info.get("Title", ""))
            copy = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"Expected a figure at {path}, found a damaged one ({error}); delete it, or draw it anew with {remedy}."
        ) from error
    if copy.width > most:
        copy = copy.resize((most, round(copy.height * most / copy.width)), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    copy.save(written, "WEBP", quality=_QUALITY)
    uri = f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
    return FigureCopy(title, uri, copy.width, copy.height)
