"""Venn diagram of the concepts of the vision encoder, of the language encoder and of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from mkbench.plotting.style import LINE_HEIGHT, PALETTE, Weight, ink, wrap_text, write_lines

VISION, LANGUAGE = PALETTE[5], PALETTE[3]
MUTUAL = PALETTE[4]

_SIZE = 6.5  # of the texts, points
_MOST_LISTED = 15  # texts of the language encoder alone
_GAP = 3.0  # between two texts, points
_HEADING = 14.0  # points above the shapes
_PADDING = 5.0  # between text and outline, points
# The shapes are superellipses: nearly all of their width stays usable over this share of their height.
_EXPONENT, _USABLE = 5.0, 0.86
_HALF_WIDTH, _SHIFT = 0.340, 0.320  # of the whole width: half axis of a shape, distance of the two centres


@dataclass(frozen=True)
class VennLayout:
    """The three columns of texts, wrapped, and the room they need.

    Attributes:
        columns: vision only, mutual, language only; each a list of texts, each text a list of lines.
        language_only: how many concepts only the language encoder has; the column may list the first of them alone.
        width: of the drawing, points.
        height: of the drawing with its headings, points.
    """

    columns: tuple[list[list[str]], list[list[str]], list[list[str]]]
    language_only: int
    width: float
    height: float


def lay_out_venn(vision: Sequence[str], language: Sequence[str], *, width: float) -> VennLayout:
    """Divide the concepts into those of one encoder and those of both, and wrap them to the columns.

    Args:
        vision: vision concepts, in the order in which they are to be written.
        language: language concepts, likewise.
        width: of the drawing, in points.

    Returns:
        The layout; a mutual concept is written once, in the order of the vision concepts. Of those of the language
        encoder alone the first 15 are listed, as many as the published image shows, and all are counted.

    Example:
        >>> layout = lay_out_venn(["wings", "a beak"], ["a beak", "fur"], width=500)
        >>> layout.columns
        ([['wings']], [['a beak']], [['fur']])
    """
    mutual = [text for text in vision if text in set(language)]
    room = width * (_SHIFT - _HALF_WIDTH * (1 - _narrowing(_USABLE))) - 2 * _PADDING

    def wrapped(texts: Sequence[str], weight: Weight) -> list[list[str]]:
        return [wrap_text(text, room, _SIZE, weight) for text in texts]

    language_only = [text for text in language if text not in mutual]
    columns = (
        wrapped([text for text in vision if text not in mutual], "normal"),
        wrapped(mutual, "bold"),
        wrapped(language_only[:_MOST_LISTED], "normal"),
    )
    shape_height = max(70.0, max(_column_height(column) for column in columns) / _USABLE + 2 * _PADDING)
    return VennLayout(columns, len(language_only), width, _HEADING + shape_height)


def _narrowing(height: float) -> float:
    """Half width of the unit superellipse at a height between 0 and 1."""
    return float((1 - height**_EXPONENT) ** (1 / _EXPONENT))


def _column_height(column: Sequence[Sequence[str]]) -> float:
    lines = sum(len(text) for text in column)
    return lines * _SIZE * LINE_HEIGHT + max(len(column) - 1, 0) * _GAP


def _tint(colour: str) -> tuple[float, float, float]:
    """A pale shade, on which black text reads well."""
    red, green, blue = (1 - 0.24 * (1 - part) for part in to_rgb(colour))
    return red, green, blue


def _outline(centre: tuple[float, float], half_width: float, half_height: float) -> NDArray[np.float64]:
    """Points of a superellipse, (400, 2)."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (400, 2)
    half_axes = np.array([half_width, half_height])
    points: NDArray[np.float64] = np.sign(unit) * np.abs(unit) ** (2 / _EXPONENT) * half_axes + np.array(centre)
    return points


def draw_venn(axes: Axes, layout: VennLayout, *, left: float, top: float) -> None:
    """Draw a layout on axes whose coordinates are points, the vertical one running downwards.

    Args:
        axes: where to draw.
        layout: what to draw.
        left: of the drawing.
        top: of the drawing.

    Example:
        >>> from mkbench.plotting.style import new_figure
        >>> axes = new_figure(500, 200).add_axes((0, 0, 1, 1), xlim=(0, 500), ylim=(200, 0))
        >>> draw_venn(axes, lay_out_venn(["wings"], ["fur"], width=500), left=0, top=0)
        >>> [text.get_text() for text in axes.texts]
        ['vision only (1)', 'wings', 'mutual (0)', 'none', 'language only (1)', 'fur']
    """
    half_width, half_height = layout.width * _HALF_WIDTH, (layout.height - _HEADING) / 2
    middle = (left + layout.width / 2, top + _HEADING + half_height)
    shift = layout.width * _SHIFT / 2
    outlines = [_outline((middle[0] + side * shift, middle[1]), half_width, half_height) for side in (-1, 1)]
    vision, _ = (
        axes.add_patch(Polygon(outline, facecolor=_tint(colour), linewidth=0))
        for outline, colour in zip(outlines, (VISION, LANGUAGE), strict=True)
    )
    overlap = axes.add_patch(Polygon(outlines[1], facecolor=_tint(MUTUAL), linewidth=0))
    overlap.set_clip_path(vision)
    for outline, colour in zip(outlines, (VISION, LANGUAGE), strict=True):
        axes.add_patch(Polygon(outline, fill=False, edgecolor=ink(colour), linewidth=0.8))
    # Centre of the straight column that stays inside one shape and outside the other over their usable height.
    reach = half_width * (1 + _narrowing(_USABLE)) / 2
    vision_only, mutual, listed = map(len, layout.columns)
    cut = f"{listed} of {layout.language_only} shown" if listed < layout.language_only else f"{listed}"
    headings = (f"vision only ({vision_only})", f"mutual ({mutual})", f"language only ({cut})")
    for index, (heading, column) in enumerate(zip(headings, layout.columns, strict=True)):
        x = middle[0] + (index - 1) * reach
        weight: Weight = "bold" if index == 1 else "normal"
        axes.text(x, top + _HEADING - 4, heading, ha="center", va="baseline", fontweight="bold")
        _write_column(axes, column or [["none"]], x=x, middle=middle[1], weight=weight if column else "normal")


def _write_column(axes: Axes, column: Sequence[Sequence[str]], *, x: float, middle: float, weight: Weight) -> None:
    y = middle - _column_height(column) / 2
    for lines in column:
        y = write_lines(axes, lines, x=x, top=y, size=_SIZE, align="center", weight=weight) + _GAP
