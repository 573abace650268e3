"""Gallery of neighbors: images in rows with their scores, or bars where there are no images."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mkbench.plotting.panels import check_images, draw_image, image_pixels
from mkbench.plotting.style import (
    GREY,
    LINE_HEIGHT,
    PAGE_WIDTH,
    PALETTE,
    Page,
    print_style,
    text_width,
    wrap_text,
    write_lines,
)

_MARGIN, _GUTTER = 6.0, 8.0  # points
_HEADING, _SIZE, _SMALL = 8.5, 6.5, 5.5  # fonts, points
_ACROSS = 7  # images beside each other
_IMAGE = (PAGE_WIDTH - 2 * _MARGIN - (_ACROSS - 1) * _GUTTER) / _ACROSS


def neighbors_figure(
    heading: str,
    ids: Sequence[str],
    scores: Sequence[float],
    *,
    images: Tensor | None = None,
    query: Tensor | None = None,
    query_id: str | None = None,
) -> Figure:
    """Draw neighbors with their scores: images in rows, or bars where there are none.

    Args:
        heading: of the figure.
        ids: names, best first.
        scores: one of each.
        images: (top, 3, S, S) uint8.
        query: (3, S, S) uint8.
        query_id: name of the query.

    Raises:
        ValueError: for images of another number or shape.

    >>> figure = neighbors_figure("Nearest images", ["a"], [0.5])
    >>> figure.axes[1].texts[0].get_text()
    '0.500'
    """
    check_images("images", images, (len(ids), 3, None, None))
    check_images("the query", query, (3, None, None))
    with print_style():
        if images is None:
            return _bars(heading, ids, scores)
        return _gallery(heading, ids, scores, images, query, query_id)


def _bars(heading: str, ids: Sequence[str], scores: Sequence[float]) -> Figure:
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING)
    pitch, top = _SIZE * 1.8, _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4
    page = Page(PAGE_WIDTH, top + max(len(ids), 1) * pitch + _MARGIN)
    write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING)
    # Names stand in a column as wide as the longest, but leave half of the page to the bars.
    names = [_shorten(name, PAGE_WIDTH / 2 - _MARGIN) for name in ids]
    left = _MARGIN + max((text_width(name, _SIZE) for name in names), default=0.0) + 6
    axes = page.axes_at(left, top, PAGE_WIDTH - _MARGIN - left, max(len(ids), 1) * pitch)
    places = np.arange(len(ids))
    axes.barh(places, scores, height=0.7, color=PALETTE[0])
    low, high = min([*scores, 0.0]), max([*scores, 1e-9])
    room = 0.1 * (high - low)  # for the numbers at the ends of the bars
    axes.set(ylim=(max(len(ids), 1) - 0.5, -0.5), xlim=(low - room * (low < 0), high + room), xticks=[], yticks=[])
    axes.axvline(0, color=GREY, linewidth=0.5)
    axes.spines[:].set_visible(False)
    for place, name, score in zip(places, names, scores, strict=True):
        side = "left" if score >= 0 else "right"
        gap = 2 if score >= 0 else -2
        axes.annotate(
            f"{score:#.3g}", (score, place), (gap, 0), textcoords="offset points", ha=side, va="center", fontsize=_SMALL
        )
        middle = top + (int(place) + 0.5) * pitch - _SIZE * LINE_HEIGHT / 2
        write_lines(page.canvas, [name], x=left - 4, top=middle, size=_SIZE, align="right")
    return page.figure


def _shorten(name: str, width: float) -> str:
    """Drop the start of a name that is too wide: the ends of paths tell images apart."""
    shown = name
    while text_width(shown, _SIZE) > width:
        shown = "…" + shown[2:]
    return shown


def _gallery(
    heading: str,
    ids: Sequence[str],
    scores: Sequence[float],
    images: Tensor,
    query: Tensor | None,
    query_id: str | None,
) -> Figure:
    lead = int(query is not None)  # the query has the first column to itself
    rows = max(1, math.ceil(len(ids) / (_ACROSS - lead)))
    across = math.ceil(len(ids) / rows)  # rows as even as they can be
    width = max(2 * _MARGIN + (across + lead) * (_IMAGE + _GUTTER) - _GUTTER, PAGE_WIDTH / 2)
    lines = wrap_text(heading, width - 2 * _MARGIN, _HEADING)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 6
    captions = [
        [f"{rank}.  {score:#.3g}", *wrap_text(name, _IMAGE, _SMALL)]
        for rank, (name, score) in enumerate(zip(ids, scores, strict=True), 1)
    ]
    asked = ["query", *(wrap_text(query_id, _IMAGE, _SMALL) if query_id else [])]
    pitch = _IMAGE + max(map(len, [*captions, asked])) * _SMALL * LINE_HEIGHT + 10
    page = Page(width, top + rows * pitch)
    write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING)
    if query is not None:
        _draw_captioned(page, query, asked, left=_MARGIN, top=top)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, across)
        left = _MARGIN + (column + lead) * (_IMAGE + _GUTTER)
        _draw_captioned(page, image, caption, left=left, top=top + row * pitch)
    return page.figure


def _draw_captioned(page: Page, image: Tensor, caption: Sequence[str], *, left: float, top: float) -> None:
    draw_image(page.axes_at(left, top, _IMAGE, _IMAGE), image_pixels(image))
    below = write_lines(page.canvas, caption[:1], x=left, top=top + _IMAGE + 2, size=_SMALL, weight="bold")
    write_lines(page.canvas, caption[1:], x=left, top=below, size=_SMALL)
