"""Heat map of signed scores: named rows, and columns in groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mkbench.plotting.style import LINE_HEIGHT, PAGE_WIDTH, Page, print_style, text_width, wrap_text, write_lines

_MARGIN, _BAR_ROOM, _GROUP_LINE, _ROW = 6.0, 36.0, 10.0, 7.5  # points
_HEADING, _SIZE, _SMALL = 8.0, 6.0, 5.5  # fonts, points
_WIDEST_NAME = 110.0  # of a row, points


def heat_map_figure(
    scores: NDArray[np.floating],
    *,
    heading: str,
    note: str,
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[tuple[str, str]],
) -> Figure:
    """Draw scores on one scale, white at zero, with a dot on the highest of each row.

    Args:
        scores: (rows, columns), signed; columns of a group stand beside each other, as many in each group.
        heading: of the figure.
        note: below the map.
        rows: names of the rows; an end that does not fit is dropped.
        columns: names of the columns, left out where there is no room for them.
        groups: of each group its name, and a shorter one where that does not fit.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Example:
        >>> names = {"rows": ["ant"], "columns": ["0", "1"], "groups": [("layer 3", "3"), ("layer 4", "4")]}
        >>> axes = heat_map_figure(np.array([[1.0, -2.0]]), heading="Heads", note="", **names).axes[1]
        >>> axes.images[0].get_clim(), axes.lines[0].get_xdata().tolist()
        ((-2.0, 2.0), [0])
    """
    names = [_shorten(name) for name in rows]
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING, "bold")
    left = _MARGIN + max(text_width(name, _SIZE) for name in names) + 5
    width = PAGE_WIDTH - left - _BAR_ROOM
    ticks = columns if width / scores.shape[1] >= _SMALL else []
    below = max((text_width(tick, _SMALL) for tick in ticks), default=0.0) + 6
    notes = wrap_text(note, PAGE_WIDTH - 2 * _MARGIN, _SIZE)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4 + _GROUP_LINE
    height = len(names) * _ROW
    with print_style():
        page = Page(PAGE_WIDTH, top + height + below + len(notes) * _SIZE * LINE_HEIGHT + _MARGIN)
        write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING, weight="bold")
        write_lines(page.canvas, notes, x=_MARGIN, top=top + height + below, size=_SIZE)
        axes = page.axes_at(left, top, width, height)
        _draw(axes, scores, names, ticks)
        _draw_groups(page, axes, groups, left=left, top=top, width=width)
        _draw_bar(page, axes, left=left + width + 6, top=top, height=min(height, 80.0))
    return page.figure


def _shorten(name: str) -> str:
    """Drop the end of a name that is too wide."""
    shown = name
    while text_width(shown, _SIZE) > _WIDEST_NAME:
        shown = f"{shown[:-2]}…"
    return shown


def _draw(axes: Axes, scores: NDArray[np.floating], names: Sequence[str], ticks: Sequence[str]) -> None:
    limit = float(np.abs(scores).max()) or 1.0
    axes.imshow(scores, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto")
    best = scores.argmax(axis=1)
    dots: Any = {"marker": "o", "markersize": 2.2, "markeredgewidth": 0.3, "markeredgecolor": "black"}
    axes.plot(best, np.arange(len(best)), color="white", linewidth=0, **dots)
    axes.set(xlim=(-0.5, scores.shape[1] - 0.5), ylim=(len(scores) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names, fontsize=_SIZE)
    looks: Any = {"fontsize": _SMALL, "rotation": -90, "rotation_mode": "anchor", "ha": "left", "va": "center"}
    axes.set_xticks(range(len(ticks)), ticks, **looks)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set(visible=True, linewidth=0.4)


def _draw_groups(
    page: Page, axes: Axes, groups: Sequence[tuple[str, str]], *, left: float, top: float, width: float
) -> None:
    """Name the groups above their columns, and part them by lines."""
    step = width / len(groups)
    columns = (axes.get_xlim()[1] + 0.5) / len(groups)
    for place, (name, short) in enumerate(groups):
        shown = name if step > text_width(name, _SIZE) + 2 else short
        middle = left + (place + 0.5) * step
        write_lines(page.canvas, [shown], x=middle, top=top - _GROUP_LINE + 1, size=_SIZE, align="center")
        if place:
            axes.axvline(place * columns - 0.5, color="black", linewidth=0.6)


def _draw_bar(page: Page, axes: Axes, *, left: float, top: float, height: float) -> None:
    image = axes.images[0]
    limit = image.get_clim()[1]
    bar = page.axes_at(left, top, 4, height)
    page.figure.colorbar(image, cax=bar, ticks=[-limit, 0, limit])
    bar.set_yticklabels([f"\u2212{limit:.2g}", "0", f"{limit:.2g}"])
    bar.tick_params(length=1.5, width=0.4, labelsize=_SMALL, pad=1)
