"""Scatter panels: points with error bars in series, keys of a legend, and names beside the points."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.point_labels import Boxes, box_between, label_points, shifted, stack_boxes
from mkbench.plotting.style import GREY, PALETTE, quiet_axes, wrap_text

_MARKERS = "osD^v<>P"
_MARKER_SIZE = 3.5  # points
Interval = tuple[float, float]
Segment = list[tuple[float, float]]


class ScatterPoint(NamedTuple):
    """A point with the interval of either coordinate, None where there is none.

    Attributes:
        x: horizontal coordinate.
        y: vertical coordinate.
        x_interval: (low, high) of x.
        y_interval: (low, high) of y.
        hollow: whether its marker is.
    """

    x: float
    y: float
    x_interval: Interval | None = None
    y_interval: Interval | None = None
    hollow: bool = False

    def bars(self) -> list[Segment]:
        """Return both ends of the two interval bars; the point itself where there is no interval.

        >>> ScatterPoint(1.0, 2.0, (0.0, 3.0)).bars()
        [[(0.0, 2.0), (3.0, 2.0)], [(1.0, 2.0), (1.0, 2.0)]]
        """
        low_x, high_x = self.x_interval or (self.x, self.x)
        low_y, high_y = self.y_interval or (self.y, self.y)
        return [[(low_x, self.y), (high_x, self.y)], [(self.x, low_y), (self.x, high_y)]]


def series_look(index: int) -> tuple[str, str]:
    """Return colour and marker of a series.

    >>> series_look(0), series_look(8)
    (('#0072B2', 'o'), ('#0072B2', 'o'))
    """
    return PALETTE[index % len(PALETTE)], _MARKERS[index % len(_MARKERS)]


def series_key(index: int, label: str, *, linewidth: float = 0.0) -> Line2D:
    """Return the legend's key of a series.

    Args:
        index: number of the series.
        label: beside the key.
        linewidth: of the line through the marker; 0 draws none.

    >>> series_key(1, "K-means").get_marker()
    's'
    """
    colour, marker = series_look(index)
    return Line2D([], [], color=colour, marker=marker, markersize=_MARKER_SIZE, linewidth=linewidth, label=label)


def hollow_key(label: str) -> Line2D:
    """Return the legend's key of hollow points.

    >>> hollow_key("hollow: random weights").get_fillstyle()
    'none'
    """
    look: Any = {"color": GREY, "marker": "o", "markersize": _MARKER_SIZE, "linewidth": 0, "fillstyle": "none"}
    return Line2D([], [], label=label, **look)


def settle_limits(axes: Axes, points: Sequence[ScatterPoint], *, margins: tuple[float, float], ticks: int) -> None:
    """Fix the limits of a panel around points and their bars, before labels look for room.

    Args:
        axes: the panel.
        points: all points; without any, the unit square is shown.
        margins: shares of width and height that stay free.
        ticks: at most about so many on an axis.

    >>> from mkbench.plotting.style import Page
    >>> axes = Page(80, 80).axes_at(0, 0, 80, 80)
    >>> settle_limits(axes, [ScatterPoint(0.0, 1.0), ScatterPoint(1.0, 3.0)], margins=(0, 0), ticks=3)
    >>> [[float(end) for end in ends] for ends in (axes.get_xlim(), axes.get_ylim())]
    [[0.0, 1.0], [1.0, 3.0]]
    """
    quiet_axes(axes)
    axes.update_datalim([end for point in points for bar in point.bars() for end in bar] or [(0, 0), (1, 1)])
    axes.margins(*margins)
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(ticks))


def draw_series(axes: Axes, points: Sequence[ScatterPoint], index: int, *, shift: float = 0.0) -> None:
    """Draw the points of a series with their bars.

    Args:
        axes: the panel.
        points: of the series.
        index: number of the series, for its look.
        shift: of all points to the right, in points (1/72 inch).

    >>> from mkbench.plotting.style import Page
    >>> axes = Page(80, 80).axes_at(0, 0, 80, 80)
    >>> draw_series(axes, [ScatterPoint(0.0, 1.0, hollow=True)], 0)
    >>> len(axes.lines), axes.lines[-1].get_markerfacecolor()
    (3, 'white')
    """
    colour, marker = series_look(index)
    moved = shifted(axes, shift) if shift else axes.transData
    for point in points:
        for bar in point.bars():
            axes.plot(*np.transpose(bar), color=colour, linewidth=0.7, alpha=0.55, transform=moved, zorder=2)
        fill = "white" if point.hollow else colour
        look: Any = {"marker": marker, "color": colour, "markerfacecolor": fill, "markersize": _MARKER_SIZE}
        axes.plot([point.x], [point.y], linewidth=0, transform=moved, zorder=3, **look)


def name_points(
    axes: Axes,
    named: Sequence[tuple[str, ScatterPoint]],
    drawn: Sequence[tuple[ScatterPoint, float]],
    lines: Sequence[Boxes] = (),
) -> None:
    """Write names beside points, clear of all markers, and of bars and lines where there is room.

    Args:
        axes: with its limits and its place in the figure settled.
        named: each name with its point.
        drawn: all points with their shifts, as ``draw_series`` drew them.
        lines: evenly spaced points of each line, (samples, 2).

    >>> from mkbench.plotting.style import Page
    >>> axes, point = Page(80, 80).axes_at(0, 0, 80, 80), ScatterPoint(0.5, 0.5)
    >>> name_points(axes, [("ViT-B/16", point)], [(point, 0.0)])
    >>> [text.get_text() for text in axes.texts]
    ['ViT-B/16']
    """
    markers = [box_between(axes, [(point.x, point.y)] * 2, shift=shift, pad=2.5) for point, shift in drawn]
    crossed = [box_between(axes, bar, shift=shift, pad=0.5) for point, shift in drawn for bar in point.bars()]
    crossed += [box_between(axes, [(x, y)] * 2, pad=1.0) for line in lines for x, y in line]
    shifts, back = dict(drawn), axes.transData.inverted()
    moved = [shifted(axes, shifts.get(point, 0.0)).transform((point.x, point.y)) for _, point in named]
    places = [(float(x), float(y)) for x, y in map(back.transform, moved)]
    names = [name for name, _ in named]
    label_points(axes, places, names, markers=stack_boxes(markers), lines=stack_boxes(crossed))


def line_samples(slope: float, intercept: float, ends: tuple[float, float], *, samples: int = 60) -> Boxes:
    """Return evenly spaced points of a line, (samples, 2).

    Args:
        slope: of the line.
        intercept: at x = 0.
        ends: first and last x.
        samples: number of points.

    >>> line_samples(2.0, 1.0, (0.0, 1.0), samples=2).tolist()
    [[0.0, 1.0], [1.0, 3.0]]
    """
    x = np.linspace(*ends, samples)
    return np.stack([x, slope * x + intercept], axis=1)


def wrap_title(sentence: str, width: float) -> list[str]:
    """Break the title of a panel into lines, with no break inside an equation.

    Args:
        sentence: the title.
        width: of the panel, points.

    >>> wrap_title("AUC rises with accuracy here (PCA: r = 0.90)", 120)
    ['AUC rises with accuracy here', '(PCA: r = 0.90)']
    """
    unbroken = sentence.replace(" = ", "\u00a0=\u00a0").replace(": r", ":\u00a0r")
    return [line.replace("\u00a0", " ") for line in wrap_text(unbroken, width, 7.0, "bold")]
