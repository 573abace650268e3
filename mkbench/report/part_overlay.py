"""Parts of an image as shapes over its figure, each with its descriptors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mkbench.errors import DataError
from mkbench.runs.run_folder import read_object
from mkbench.runs.schema import SCHEMA_VERSION, FigureRegions, find_fault

#: Width of the figure in the units of the shapes.
WIDTH = 1000


@dataclass(frozen=True)
class PartShape:
    """A part of an image.

    Attributes:
        number: the one that the figure has for it.
        descriptors: best first; none for a part without any.
        path: its outlines, as the data of an SVG path.
    """

    number: int
    descriptors: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class PartOverlay:
    """The parts of an image over its figure.

    Attributes:
        height: of the figure, where its width is ``WIDTH``.
        below: where the descriptors of a part are written: below the image.
        parts: those that are present.
    """

    height: float
    below: float
    parts: tuple[PartShape, ...]


def read_overlay(path: Path, *, width: int, height: int) -> PartOverlay | None:
    """Read where in a figure the parts of its image lie; None where the run does not say.

    Args:
        path: of the file beside the figure.
        width: of the figure, pixels.
        height: of the figure, pixels.

    Raises:
        DataError: the file is damaged.

    >>> read_overlay(Path("nowhere.json"), width=1, height=1) is None
    True
    """
    content = read_object(path)
    if content is None:
        return None
    fault = find_fault(content, FigureRegions) or next(_faults(cast(FigureRegions, content)), None)
    if fault is not None:
        raise DataError(f"Expected in {path} {fault}; delete it, or run `mkbench predict` again.")
    regions, scaled = cast(FigureRegions, content), WIDTH * height / width
    parts = (
        PartShape(part["number"], tuple(part["descriptors"]), _path(part["outlines"], regions["panels"], scaled))
        for part in regions["parts"]
    )
    below = max(top + tall for _, top, _, tall in regions["panels"])
    return PartOverlay(round(scaled, 1), round(below * scaled, 1), tuple(parts))


def _faults(regions: FigureRegions) -> Iterator[str]:
    """What the types do not say."""
    if regions["schema_version"] != SCHEMA_VERSION:
        yield f"schema version {SCHEMA_VERSION}, found {regions['schema_version']}"
    if not regions["panels"]:
        yield "a panel, found none"
    corners = [corner for part in regions["parts"] for polygon in part["outlines"] for corner in polygon]
    shares = [share for place in (*regions["panels"], *corners) for share in place]
    yield from (f"shares of 0 to 1, found {share}" for share in shares if not 0 <= share <= 1)


def _path(
    outlines: list[list[tuple[float, float]]], panels: list[tuple[float, float, float, float]], height: float
) -> str:
    """The outlines in each of the panels."""
    drawn = []
    for left, top, wide, tall in panels:
        for polygon in outlines:
            corners = (f"{(left + x * wide) * WIDTH:.1f} {(top + y * tall) * height:.1f}" for x, y in polygon)
            drawn.append(f"M{'L'.join(corners)}Z")
    return "".join(drawn)
