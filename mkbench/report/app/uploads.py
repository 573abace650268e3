"""Images that users bring to a page: their limits, and how they are decoded."""

import base64
import io
from pathlib import Path

from PIL import Image

from mkbench.datamodules.image_files import Decoding, decode_image
from mkbench.errors import DataError
from mkbench.studies.head_queries.query_images import QueryImage, RunImages
from mkbench.text_files import printable

#: Most bytes of an uploaded file; the limit of pixels is that of every image file.
MOST_BYTES = 50_000_000
_DECODING = Decoding(exif_orientation=True)


def read_upload(path: str | Path, images: RunImages) -> QueryImage:
    """Decode an uploaded image, turned upright, into the geometry of a model; results call it by its file name.

    Args:
        path: where the server put the file.
        images: of the model.

    Raises:
        DataError: it is too large, damaged or no image.
    """
    file = Path(path)
    name = printable(file.name)
    if not file.is_file():
        raise DataError(f"Expected the uploaded file {name}, found it deleted since; upload it again.")
    if file.stat().st_size > MOST_BYTES:
        raise DataError(
            f"Expected an image file of at most {MOST_BYTES:,} bytes, found {name} with {file.stat().st_size:,}; "
            "make it smaller."
        )
    return images.fit(name, decode_image(file.read_bytes(), name, _DECODING))


def preview_address(query: QueryImage) -> str:
    """Return an image, as the model gets it, as a ``data:`` address."""
    with io.BytesIO() as file:
        Image.fromarray(query.pixels.permute(1, 2, 0).numpy()).save(file, format="PNG")
        return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
