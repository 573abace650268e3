"""Figure of foregrounds: images, and below each the maps of several settings with the outline of what they take."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mkbench.plotting.panels import draw_image, draw_saliency
from mkbench.plotting.style import LINE_HEIGHT, PAGE_WIDTH, PALETTE, Page, ink, print_style, wrap_text, write_lines

_MARGIN, _GUTTER, _NAMES = 6.0, 6.0, 92.0  # points
_LARGEST = 74.0  # side of a panel, points
_HEADING, _SIZE = 8.5, 6.5  # fonts, points
_PITCH = _SIZE * LINE_HEIGHT


class ForegroundMap(NamedTuple):
    """Saliency of an image with its foreground.

    Attributes:
        saliency: (h, w) signed, positive on prominent patches.
        patches: (h, w) bool, the foreground.
        covered: width and height, in pixels, that the patches cover.
        found: whether the box of the foreground meets the object.
    """

    saliency: NDArray[np.floating]
    patches: NDArray[np.bool_]
    covered: tuple[int, int]
    found: bool


def foregrounds_figure(
    images: Sequence[NDArray[np.uint8]], rows: Sequence[tuple[str, Sequence[ForegroundMap]]], *, heading: str, note: str
) -> Figure:
    """Draw images side by side, and a row of maps for each setting, each map with whether it finds the object.

    Args:
        images: uint8 (3, S, S), at least one.
        rows: name of each row, and its map of each image.
        heading: of the figure.
        note: below the maps.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: without images, or with other numbers of maps.

    >>> one = ForegroundMap(np.eye(2), np.eye(2, dtype=bool), (8, 8), True)
    >>> figure = foregrounds_figure([np.zeros((3, 8, 8), np.uint8)], [("keys", [one])], heading="Where", note="")
    >>> [text.get_text() for text in figure.axes[0].texts][:3]
    ['Where', 'keys', '✓ found']
    """
    if not images or any(len(maps) != len(images) for _, maps in rows):
        raise ValueError(
            f"expected a map of each of one image or more, found {len(images)} images and rows of "
            f"{[len(maps) for _, maps in rows]}"
        )
    room = PAGE_WIDTH - 2 * _MARGIN - _NAMES
    panel = min((room - (len(images) - 1) * _GUTTER) / len(images), _LARGEST)
    lefts = [_MARGIN + _NAMES + place * (panel + _GUTTER) for place in range(len(images))]
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING, "bold")
    notes = wrap_text(note, PAGE_WIDTH - 2 * _MARGIN, _SIZE)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4
    pitch = panel + _PITCH + 5
    with print_style():
        below = top + panel + 6 + len(rows) * pitch
        page = Page(PAGE_WIDTH, below + len(notes) * _PITCH + _MARGIN)
        write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING, weight="bold")
        for left, image in zip(lefts, images, strict=True):
            draw_image(page.axes_at(left, top, panel, panel), image)
        for number, (name, maps) in enumerate(rows):
            start = top + panel + 6 + number * pitch
            write_lines(page.canvas, wrap_text(name, _NAMES - 8, _SIZE), x=_MARGIN, top=start, size=_SIZE)
            for left, image, shown in zip(lefts, images, maps, strict=True):
                _draw_map(page, shown, size=image.shape[-1], left=left, top=start, side=panel)
        write_lines(page.canvas, notes, x=_MARGIN, top=below, size=_SIZE)
    return page.figure


def _draw_map(page: Page, shown: ForegroundMap, *, size: int, left: float, top: float, side: float) -> None:
    labels = np.where(shown.patches, 0, -1).astype(np.int64)
    draw_saliency(page.axes_at(left, top, side, side), shown.saliency, labels, size=size, covered=shown.covered)
    words, colour = ("✓ found", PALETTE[4]) if shown.found else ("✗ missed", PALETTE[1])
    write_lines(page.canvas, [words], x=left, top=top + side + 1, size=_SIZE, colour=ink(colour))
