"""Label placement for scatter plots."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import ScaledTranslation, Transform
from numpy.typing import NDArray

from mkbench.plotting.style import GREY, LINE_HEIGHT, text_width

Boxes = NDArray[np.float64]  # (boxes, 4): left, bottom, right, top in points

#: Font size of the names.
LABEL_SIZE = 5.8
_RADII = (4.0, 7.0, 11.0, 16.0, 22.0, 30.0, 40.0)
_DIRECTIONS = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)),
    *((0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1)),
)
# Costs: of a square point of a label on another label or on a marker, on a bar or line, and of a point of distance.
_COVERED, _CROSSED, _FAR, _OUTSIDE = 20.0, 0.6, 1.5, 1e6


def _overlap(box: Boxes, others: Boxes) -> float:
    """Area that a box, (4,), shares with others, (boxes, 4), in square points."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])  # (boxes, 2)
    return float(sides.clip(min=0).prod(axis=1).sum())


def place_labels(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    markers: Boxes,
    lines: Boxes,
    frame: tuple[float, float],
) -> list[tuple[float, float]]:
    """Choose the lower left corner of each label, all lengths in points.

    Each label in turn takes, of 84 places around its point (12 directions, 7 distances), the one that covers least of
    the markers, of the labels before it and of the lines, and is nearest; it stays inside the frame.

    Args:
        points: (x, y) of what is labelled.
        texts: a label for each point.
        markers: boxes that must stay visible, (boxes, 4): left, bottom, right, top.
        lines: boxes that are better left free, (boxes, 4).
        frame: width and height of the panel.

    Returns:
        (x, y) of each label's lower left corner, in the order of the points.

    Example:
        >>> nothing = np.zeros((0, 4))
        >>> place_labels([(50, 50)], ["A"], markers=nothing, lines=nothing, frame=(100, 100))[0][0]
        54.0
    """
    placed: list[tuple[float, float]] = []
    taken: Boxes = np.asarray(markers, dtype=np.float64).reshape(-1, 4)
    for point, text in zip(points, texts, strict=True):
        size = np.array([text_width(text, LABEL_SIZE) + 1, LABEL_SIZE * LINE_HEIGHT + 1])
        radii = [radius for radius, _ in product(_RADII, _DIRECTIONS)]
        boxes: list[Boxes] = [_candidate(point, size, radius, way) for radius, way in product(_RADII, _DIRECTIONS)]
        costs = [
            _COVERED * _overlap(box, taken) + _CROSSED * _overlap(box, lines) + _FAR * radius + _leaving(box, frame)
            for box, radius in zip(boxes, radii, strict=True)
        ]
        best = boxes[int(np.argmin(costs))]  # the first of equal ones
        placed.append((float(best[0]), float(best[1])))
        taken = np.concatenate([taken, best[None]])
    return placed


def _candidate(point: tuple[float, float], size: Boxes, radius: float, way: tuple[float, float]) -> Boxes:
    """A box beside the point, (4,); along an axis the box is centred on the point."""
    direction = np.array(way)
    centre = np.array(point) + direction * (radius + size / 2)
    return np.concatenate([centre - size / 2, centre + size / 2])


def _leaving(box: Boxes, frame: tuple[float, float]) -> float:
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= frame[0] and box[3] <= frame[1]
    return 0.0 if inside else _OUTSIDE


def label_points(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], *, markers: Boxes, lines: Boxes
) -> None:
    """Write a name beside each point, with a thin line where it had to move away.

    Args:
        axes: with its limits and its place in the figure settled.
        points: (x, y) in data coordinates.
        texts: a label for each point.
        markers: boxes that must stay visible, (boxes, 4) in points from the lower left corner of the axes.
        lines: boxes that are better left free, likewise.

    Example:
        >>> from mkbench.plotting.style import Page
        >>> axes = Page(200, 200).axes_at(20, 20, 160, 160)
        >>> nothing = np.zeros((0, 4))
        >>> label_points(axes, [(0.5, 0.5)], ["ViT-B/16"], markers=nothing, lines=nothing)
        >>> [text.get_text() for text in axes.texts]
        ['ViT-B/16']
    """
    offsets = [to_points(axes, point) for point in points]
    _, _, width, height = _frame(axes)
    frame = (float(width), float(height))
    places = place_labels(offsets, texts, markers=markers, lines=lines, frame=frame)
    for point, offset, place, text in zip(points, offsets, places, texts, strict=True):
        shift = (place[0] - offset[0], place[1] - offset[1])
        far_side = -shift[0] - text_width(text, LABEL_SIZE)
        near = np.hypot(max(shift[0], far_side, 0), max(shift[1], -shift[1] - LABEL_SIZE, 0)) <= _RADII[1]
        arrow = None if near else {"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2}
        axes.annotate(
            text,
            point,
            shift,
            textcoords="offset points",
            fontsize=LABEL_SIZE,
            va="bottom",
            ha="left",
            arrowprops=arrow,
        )


def _figure(axes: Axes) -> Figure | SubFigure:
    if axes.figure is None:
        raise ValueError("axes must belong to a figure")
    return axes.figure


def _frame(axes: Axes) -> NDArray[np.float64]:
    """Left, bottom, width and height of the axes in points of the figure."""
    box = axes.get_window_extent()
    return np.array(box.bounds) * 72 / _figure(axes).get_dpi()


def to_points(axes: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """Turn data coordinates into points from the lower left corner of the axes.

    >>> from mkbench.plotting.style import Page
    >>> axes = Page(200, 200).axes_at(20, 20, 160, 160)
    >>> [round(value, 6) for value in to_points(axes, (0.5, 0.25))]
    [80.0, 40.0]
    """
    x, y = axes.transData.transform(point) * 72 / _figure(axes).get_dpi() - _frame(axes)[:2]
    return float(x), float(y)


def shifted(axes: Axes, points: float) -> Transform:
    """Return the axes' data transform, moved to the right by some points.

    >>> from mkbench.plotting.style import Page
    >>> axes = Page(200, 200).axes_at(20, 20, 160, 160)
    >>> moved = shifted(axes, 72).transform((0, 0)) - axes.transData.transform((0, 0))
    >>> [round(float(value) / axes.figure.get_dpi(), 6) for value in moved]
    [1.0, 0.0]
    """
    return axes.transData + ScaledTranslation(points / 72, 0, _figure(axes).dpi_scale_trans)


def box_between(axes: Axes, ends: Sequence[tuple[float, float]], *, shift: float = 0.0, pad: float) -> Boxes:
    """Return what lies between two data points as a box in points, (4,): left, bottom, right and top.

    Args:
        axes: with its limits and its place in the figure settled.
        ends: lower left and upper right, in data coordinates.
        shift: to the right, in points.
        pad: on every side, in points.

    >>> from mkbench.plotting.style import Page
    >>> axes = Page(200, 200).axes_at(20, 20, 160, 160)
    >>> box_between(axes, [(0.5, 0.25), (0.5, 0.5)], pad=2).round(6).tolist()
    [78.0, 38.0, 82.0, 82.0]
    """
    (left, bottom), (right, top) = to_points(axes, ends[0]), to_points(axes, ends[1])
    return np.array([left + shift - pad, bottom - pad, right + shift + pad, top + pad])


def stack_boxes(boxes: Sequence[Boxes]) -> Boxes:
    """Stack boxes, (4,) each, to (boxes, 4); there may be none.

    >>> stack_boxes([]).shape
    (0, 4)
    """
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
