"""Figures of the analyses of heads: neighbours with their scores, and signed maps over an image."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from mkbench.plotting.panels import draw_image
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
_PANEL = 120.0  # side of a map, points
_BAR_ROOM = 22.0  # below the maps, points
_OPACITY = 0.75  # of the strongest colour over an image


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    return np.asarray(image.detach().cpu().numpy(), dtype=np.uint8)


def _check_images(name: str, images: Tensor | None, shape: tuple[int | None, ...]) -> None:
    if images is None:
        return
    fits = images.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, images.shape, strict=True)
    )
    if not fits or images.shape[-1] != images.shape[-2] or str(images.dtype) != "torch.uint8":
        wanted = tuple("S" if size is None else size for size in shape)
        raise ValueError(f"Expected {name} {wanted} uint8, got {tuple(images.shape)} {images.dtype}.")


def _write_heading(page: Page, lines: Sequence[str]) -> float:
    return write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING) + 4


def neighbors_figure(
    heading: str,
    ids: Sequence[str],
    scores: Sequence[float],
    *,
    images: Tensor | None = None,
    query: Tensor | None = None,
    query_id: str | None = None,
) -> Figure:
    """Draw neighbours with their scores: images in rows, or bars where there are none.

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
    _check_images("images", images, (len(ids), 3, None, None))
    _check_images("the query", query, (3, None, None))
    with print_style():
        if images is None:
            return _bars(heading, ids, scores)
        return _gallery(heading, ids, scores, images, query, query_id)


def _bars(heading: str, ids: Sequence[str], scores: Sequence[float]) -> Figure:
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING)
    pitch, top = _SIZE * 1.8, _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4
    page = Page(PAGE_WIDTH, top + max(len(ids), 1) * pitch + _MARGIN)
    _write_heading(page, lines)
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
    _write_heading(page, lines)
    if query is not None:
        _draw_captioned(page, query, asked, left=_MARGIN, top=top)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, across)
        left = _MARGIN + (column + lead) * (_IMAGE + _GUTTER)
        _draw_captioned(page, image, caption, left=left, top=top + row * pitch)
    return page.figure


def _draw_captioned(page: Page, image: Tensor, caption: Sequence[str], *, left: float, top: float) -> None:
    draw_image(page.axes_at(left, top, _IMAGE, _IMAGE), _pixels(image))
    below = write_lines(page.canvas, caption[:1], x=left, top=top + _IMAGE + 2, size=_SMALL, weight="bold")
    write_lines(page.canvas, caption[1:], x=left, top=below, size=_SMALL)


def maps_figure(
    heading: str, panels: Sequence[tuple[str, Tensor]], *, image: Tensor | None = None, overlay: bool = False
) -> Figure:
    """Draw signed maps of the patches on one common scale, white at zero, beside the image.

    Args:
        heading: of the figure.
        panels: a title and a map (h, w) of each.
        image: (3, S, S) uint8.
        overlay: add the first map laid over the image.

    Raises:
        ValueError: for another image.

    >>> import torch
    >>> figure = maps_figure("Maps", [("a", torch.eye(2)), ("b", -3 * torch.eye(2))])
    >>> [axes.images[0].get_clim() for axes in figure.axes[1:3]]
    [(-3.0, 3.0), (-3.0, 3.0)]
    """
    _check_images("the image", image, (3, None, None))
    limit = max(float(values.abs().max()) for _, values in panels) or 1.0
    titles = [*([] if image is None else ["Image"]), *(title for title, _ in panels)]
    laid_over = overlay and image is not None
    titles += [f"{panels[0][0]}, over the image"] if laid_over else []
    wrapped = [wrap_text(title, _PANEL, _SIZE, "bold") for title in titles]
    width = 2 * _MARGIN + len(titles) * (_PANEL + _GUTTER) - _GUTTER
    lines = wrap_text(heading, width - 2 * _MARGIN, _HEADING)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4 + max(map(len, wrapped)) * _SIZE * LINE_HEIGHT + 3
    with print_style():
        page = Page(width, top + _PANEL + _BAR_ROOM + _MARGIN)
        below = _write_heading(page, lines)
        lefts = [_MARGIN + place * (_PANEL + _GUTTER) for place in range(len(titles))]
        for left, title in zip(lefts, wrapped, strict=True):
            write_lines(page.canvas, title, x=left, top=below, size=_SIZE, weight="bold")
        axes = [page.axes_at(left, top, _PANEL, _PANEL) for left in lefts]
        shown = [
            _draw_map(one, values, limit)
            for one, (_, values) in zip(axes[image is not None :], panels, strict=False)  # the overlay is left over
        ]
        if image is not None:
            draw_image(axes[0], _pixels(image))
        if laid_over and image is not None:
            _draw_overlay(axes[-1], image, panels[0][1], limit)
        _draw_colour_bar(page, shown[0], left=lefts[int(image is not None)], top=top + _PANEL + 5)
    return page.figure


def _draw_map(axes: Axes, values: Tensor, limit: float, *, size: int | None = None) -> AxesImage:
    """Draw a map on its own, or over an image of some size, where it shows as strongly as it differs from zero."""
    height, width = (size, size) if size else values.shape
    shown = values.detach().cpu().double().numpy()
    image = axes.imshow(
        shown,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="auto",
        alpha=_OPACITY * np.sqrt(np.abs(shown) / limit) if size else None,
    )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, linewidth=0.4)
    return image


def _draw_overlay(axes: Axes, image: Tensor, values: Tensor, limit: float) -> None:
    grey = _pixels(image).astype(np.float64).mean(axis=0, keepdims=True)  # floats cannot overflow
    draw_image(axes, np.repeat(grey, 3, axis=0).round().astype(np.uint8))
    _draw_map(axes, values, limit, size=image.shape[-1])


def _draw_colour_bar(page: Page, shown: AxesImage, *, left: float, top: float) -> None:
    limit = shown.get_clim()[1]
    bar = page.axes_at(left, top, _PANEL, 4)
    page.figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[-limit, 0, limit])
    bar.set_xticklabels([f"\u2212{limit:.2g}", "0", f"{limit:.2g}"])
    bar.tick_params(length=1.5, width=0.4, labelsize=_SMALL, pad=1)
    bar.get_xticklabels()[0].set_horizontalalignment("left")
    bar.get_xticklabels()[2].set_horizontalalignment("right")
