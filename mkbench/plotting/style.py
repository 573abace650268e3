"""Print style of all figures: palette, fonts, measured and wrapped text, and saving without dates."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from mkbench.atomic_files import written_whole

#: Okabe and Ito's colours, told apart under the common forms of colour blindness; every figure uses these alone.
PALETTE = ("#0072B2", "#D55E00", "#CC79A7", "#E69F00", "#009E73", "#56B4E9", "#F0E442", "#000000")
GREY = "#767676"

#: Fonts of 6 to 8 points at the width of a printed page; no text is read as a formula, descriptors may hold any sign.
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures look the same everywhere
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "text.usetex": False,
    "text.hinting": "no_hinting",  # as wide on any output as it was measured
}
PAGE_WIDTH = 518.0  # points, the text width of a two-column page
COLUMN_WIDTH = 252.0  # points, one column of it
_DPI = 200
LINE_HEIGHT = 1.22  # of the font size
Weight = Literal["normal", "bold"]


def print_style() -> AbstractContextManager[None]:
    """Return a context in which new artists get the print style; matplotlib's settings are as before after it.

    >>> with print_style():
    ...     matplotlib.rcParams["font.size"]
    7.0
    """
    return matplotlib.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure with a renderer of its own, apart from pyplot's state.

    Args:
        width: points (1/72 inch).
        height: points.

    >>> new_figure(144, 72).get_size_inches().tolist()
    [2.0, 1.0]
    """
    figure = Figure(figsize=(width / 72, height / 72), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


class Page:
    """A figure laid out in points from its top left corner, with invisible axes under everything for free text.

    Attributes:
        figure: the figure.
        canvas: the axes of the whole page; x runs from 0 to the width, y downwards from 0 to the height.

    Example:
        >>> page = Page(200, 100)
        >>> [round(float(value), 6) for value in page.axes_at(20, 10, 100, 50).get_position().bounds]
        [0.1, 0.4, 0.5, 0.5]
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = new_figure(width, height)
        self.canvas = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.canvas.set_axis_off()

    def axes_at(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes whose frame lies at this place, all four in points."""
        bottom = self.height - top - height
        bounds = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(bounds)


def save_figure(figure: Figure, path_without_suffix: str | Path, *, title: str | None = None) -> tuple[Path, Path]:
    """Write a figure as PNG (200 dots per inch) and as PDF; the same figure gives the same bytes on any day.

    Args:
        figure: any matplotlib figure.
        path_without_suffix: where to write; ``.png`` and ``.pdf`` are appended, missing folders are made.
        title: what it is of, for the metadata of both files; None for none.

    Returns:
        The paths of the PNG and of the PDF.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in save_figure(new_figure(72, 72), Path(folder) / "ViT-B.16")]
        ['ViT-B.16.png', 'ViT-B.16.pdf']
    """
    base = Path(path_without_suffix)
    png, pdf = base.with_name(base.name + ".png"), base.with_name(base.name + ".pdf")
    named: dict[str, str | None] = {} if title is None else {"Title": title}
    of_png: dict[str, str | None] = {"Software": None, **named}
    of_pdf: dict[str, str | None] = {"Creator": "mkbench", "Producer": "mkbench", "CreationDate": None, **named}
    with print_style(), written_whole(png) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata=of_png)
    with print_style(), written_whole(pdf) as temporary:
        figure.savefig(temporary, format="pdf", metadata=of_pdf)
    return png, pdf


def write_lines(
    canvas: Axes,
    lines: Sequence[str],
    *,
    x: float,
    top: float,
    size: float,
    align: Literal["left", "center", "right"] = "left",
    weight: Weight = "normal",
    colour: str | tuple[float, float, float] = "black",
) -> float:
    """Write lines below each other on a page's canvas, each as a text of its own, and return where the next one goes.

    One text with line breaks would be spaced differently by different releases of matplotlib.

    Args:
        canvas: axes in points, y running downwards.
        lines: what to write.
        x: of the lines' left end, centre or right end.
        top: of the first line.
        size: of the font.
        align: what x is.
        weight: of the font.
        colour: of the text.

    Returns:
        Bottom of the last line.

    Example:
        >>> write_lines(Page(100, 100).canvas, ["four", "legs"], x=5, top=10, size=10)
        34.4
    """
    for line in lines:
        # The baseline leaves a quarter of the line to descenders.
        y = top + 0.75 * size * LINE_HEIGHT
        canvas.text(x, y, line, ha=align, va="baseline", fontsize=size, fontweight=weight, color=colour)
        top += size * LINE_HEIGHT
    return top


def quiet_axes(axes: Axes) -> None:
    """Give a plot short ticks and pale horizontal guides behind the data.

    >>> quiet_axes(new_figure(100, 100).add_subplot())
    """
    axes.tick_params(length=2.5, width=0.6, labelsize=6.5, pad=2)
    axes.yaxis.grid(True, color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: Weight = "normal") -> float:
    """Return the width in points of one line of text.

    >>> text_width("wings", 14) > text_width("wings", 7) > text_width("leg", 7)
    True
    """
    font = FontProperties(family=_STYLE["font.family"], size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def wrap_text(text: str, width: float, size: float, weight: Weight = "normal") -> list[str]:
    """Break a text into lines that are no wider than a column; words that are too long break inside.

    Args:
        text: spaces and line ends count as one space; a no-break space (U+00A0) never breaks.
        width: of the column, in points.
        size: of the font, in points.
        weight: of the font.

    Returns:
        One or more lines.

    Example:
        >>> wrap_text("large, sturdy body with four muscular legs", 110, 7)
        ['large, sturdy body with four', 'muscular legs']
    """
    lines = [""]
    for word in re.split(r"[ \t\r\n]+", text.strip()):
        joined = f"{lines[-1]} {word}".strip()
        if text_width(joined, size, weight) <= width:
            lines[-1] = joined
            continue
        pieces = _split_word(word, width, size, weight)
        lines = [*lines, *pieces] if lines[-1] else pieces
    return lines


def _split_word(word: str, width: float, size: float, weight: Weight) -> list[str]:
    """Cut a word into pieces that fit; a single character always fits."""
    pieces = [""]
    for character in word:
        if pieces[-1] and text_width(pieces[-1] + character, size, weight) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _luminance(colour: Sequence[float]) -> float:
    """Relative luminance of an sRGB colour as the Web Content Accessibility Guidelines define it, 0 to 1."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink(colour: str) -> tuple[float, float, float]:
    """Return the colour darkened until text of it on white has a contrast of at least 4.5 to 1.

    >>> ink("#000000")
    (0.0, 0.0, 0.0)
    """
    shade = to_rgb(colour)
    while 1.05 / (_luminance(shade) + 0.05) < 4.5:
        shade = (shade[0] * 0.95, shade[1] * 0.95, shade[2] * 0.95)
    return shade


def ink_on(colour: str) -> str:
    """Return white or black, whichever reads better on a colour.

    >>> ink_on("#F0E442"), ink_on("#0072B2")
    ('black', 'white')
    """
    luminance = _luminance(to_rgb(colour))
    return "white" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "black"
