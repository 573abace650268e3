"""Figure of an explained image: saliency, parts, descriptors, importance of concepts, and a Venn diagram of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mkbench.plotting.panels import draw_image, draw_number, draw_parts, draw_saliency, part_colour
from mkbench.plotting.style import (
    GREY,
    LINE_HEIGHT,
    PAGE_WIDTH,
    PALETTE,
    Page,
    Weight,
    ink,
    print_style,
    text_width,
    wrap_text,
    write_lines,
)
from mkbench.plotting.venn import MUTUAL, VISION, draw_venn, lay_out_venn

_MARGIN, _GUTTER = 6.0, 12.0  # points
_IMAGE = 112.0  # side of each of the three images, points
_TITLE = 14.0  # room of a panel's title, points
_SIZE = 6.5  # of running text, points
_PITCH = _SIZE * LINE_HEIGHT
_PART_GAP = 5.0  # between the descriptors of two parts, points
_TEXT_LEFT = _MARGIN + 3 * (_IMAGE + _GUTTER) + 10  # of the descriptors, right of their number
_LINE_HANG = 7.0  # further lines of a wrapped descriptor are indented by this, points
_COLOUR_BAR = 22.0  # room below the saliency, points


@dataclass(frozen=True)
class SampleView:
    """Contents of the figure of one image.

    Attributes:
        image: uint8 RGB, (3, S, S).
        saliency: signed map of the patches, positive on the foreground, (h, w).
        part_labels: int64 part of each patch, -1 on the background, (h, w).
        covered: width and height, in pixels, that the patches cover; a last one may reach over the edge of the image.
        part_descriptors: for each part, descriptors, best first; empty where the image lacks the part.
        concepts: vision concepts with their importance, most important first.
        language: all language concepts of the class, closest first; they decide which concepts are mutual.
        class_name: the true class, None for an image without a label.
        predicted_name: the predicted class.
        heading: of the figure, such as the model and the explainer.
    """

    image: NDArray[np.uint8]
    saliency: NDArray[np.floating]
    part_labels: NDArray[np.int64]
    covered: tuple[int, int]
    part_descriptors: Sequence[Sequence[str]]
    concepts: Sequence[tuple[str, float]]
    language: Sequence[str]
    class_name: str | None
    predicted_name: str
    heading: str


def _check(sample: SampleView) -> None:
    image, labels = sample.image, sample.part_labels
    if image.ndim != 3 or image.shape[0] != 3 or image.shape[1] != image.shape[2] or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 (3, S, S), found {image.shape} {image.dtype}")
    if labels.ndim != 2 or sample.saliency.shape != labels.shape:
        raise ValueError(
            f"saliency and part_labels must share one patch grid (h, w), found {sample.saliency.shape} "
            f"and {labels.shape}"
        )
    if labels.max() >= len(sample.part_descriptors):
        raise ValueError(
            f"part_descriptors must have one entry per part, found {len(sample.part_descriptors)} entries "
            f"and the part label {labels.max()}"
        )


def sample_figure(sample: SampleView) -> Figure:
    """Draw one image's explanation at the width of a page; the height follows from the texts.

    Panels: the image with its true and its predicted class; the signed saliency with the outline of the foreground;
    the parts with the descriptors of each; the importance of the vision concepts, those that are also language
    concepts standing out; the concepts of the vision encoder, of the language encoder and of both.

    Source: after the figures of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        sample: the image and its explanation.

    Returns:
        The figure, for ``save_figure``.

    Raises:
        ValueError: if the image, the saliency, the part labels and the descriptors do not fit each other.

    Example:
        >>> sample = SampleView(
        ...     image=np.zeros((3, 80, 80), np.uint8), saliency=np.eye(5), part_labels=np.eye(5, dtype=np.int64) - 1,
        ...     covered=(80, 80), part_descriptors=[["four legs"]], concepts=[("four legs", 0.7)],
        ...     language=["four legs", "wings"], class_name="dog", predicted_name="cat", heading="ViT-B/16, PCA parts",
        ... )
        >>> figure = sample_figure(sample)
        >>> figure.axes[0].texts[0].get_text()
        'ViT-B/16, PCA parts'
    """
    _check(sample)
    names = [text for text, _ in sample.concepts]
    venn = lay_out_venn(names, sample.language, width=PAGE_WIDTH - 2 * _MARGIN)
    captions, parts = _captions(sample), _part_lines(sample.part_descriptors)
    below = max(_COLOUR_BAR, sum(len(lines) for lines, _ in captions) * _PITCH + 4)
    # Descriptors that reach below the images continue beside the bars.
    beside = _parts_height(parts) > _IMAGE + below
    bars_right = _TEXT_LEFT - 24 if beside else PAGE_WIDTH - _MARGIN
    labels = [wrap_text(text, bars_right * 0.5, _SIZE, "bold") for text in names]
    bars_top = _MARGIN + 2 * _TITLE + _IMAGE + below + 6
    bars_bottom = bars_top + _TITLE + max(sum(_bar_heights(labels)), _PITCH)
    venn_top = max(bars_bottom, _MARGIN + 2 * _TITLE + _parts_height(parts)) + 10
    with print_style():
        page = Page(PAGE_WIDTH, venn_top + _TITLE + venn.height + _MARGIN)
        page.canvas.text(_MARGIN, _MARGIN + 8, sample.heading, fontsize=8.5)
        _draw_images(page, sample, captions)
        _draw_descriptors(page, parts)
        _draw_bars(page, sample, labels, top=bars_top, right=bars_right)
        _title(page, "(e) Concepts of the two encoders", left=_MARGIN, top=venn_top)
        draw_venn(page.canvas, venn, left=_MARGIN, top=venn_top + _TITLE)
    return page.figure


def image_panels(height: float) -> list[tuple[float, float, float, float]]:
    """Return where in the figure of an image the image itself lies, and its parts.

    Args:
        height: of the figure, points.

    Returns:
        Left, top, width and height of each panel, as shares of the figure's sides.

    >>> [[round(share, 2) for share in panel] for panel in image_panels(340)]
    [[0.01, 0.1, 0.22, 0.33], [0.49, 0.1, 0.22, 0.33]]
    """
    top, size = (_MARGIN + 2 * _TITLE) / height, (_IMAGE / PAGE_WIDTH, _IMAGE / height)
    return [(_panel_left(index) / PAGE_WIDTH, top, *size) for index in (0, 2)]


def _panel_left(index: int) -> float:
    return _MARGIN + index * (_IMAGE + _GUTTER)


def _title(page: Page, text: str, *, left: float, top: float) -> None:
    page.canvas.text(left, top + _TITLE - 5, text, fontsize=7.5, fontweight="bold")


def _captions(sample: SampleView) -> list[tuple[list[str], str]]:
    """Wrapped lines below the image, each group with its colour; the sign tells what the colour tells."""
    if sample.class_name is None:
        return [(wrap_text(f"predicted: {sample.predicted_name}", _IMAGE, _SIZE), "#000000")]
    correct = sample.class_name == sample.predicted_name
    verdict = ("✓ ", PALETTE[4]) if correct else ("✗ ", PALETTE[1])
    return [
        (wrap_text(f"class: {sample.class_name}", _IMAGE, _SIZE), "#000000"),
        (wrap_text(f"{verdict[0]}predicted: {sample.predicted_name}", _IMAGE, _SIZE), verdict[1]),
    ]


def _draw_images(page: Page, sample: SampleView, captions: list[tuple[list[str], str]]) -> None:
    top = _MARGIN + _TITLE
    lefts = [_panel_left(index) for index in range(3)]
    titles = ("(a) Image", "(b) Saliency", "(c) Parts and their descriptors")
    for left, text in zip(lefts, titles, strict=True):
        _title(page, text, left=left, top=top)
    image, saliency, parts = (page.axes_at(left, top + _TITLE, _IMAGE, _IMAGE) for left in lefts)
    size = sample.image.shape[-1]
    draw_image(image, sample.image)
    shown = draw_saliency(saliency, sample.saliency, sample.part_labels, size=size, covered=sample.covered)
    draw_parts(parts, sample.image, sample.part_labels, covered=sample.covered)
    largest = shown.get_clim()[1]
    bar = page.axes_at(lefts[1], top + _TITLE + _IMAGE + 5, _IMAGE, 4)
    page.figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[-largest, 0, largest])
    bar.set_xticklabels([f"\u2212{largest:.2g}", "0", f"{largest:.2g}"])
    bar.tick_params(length=1.5, width=0.4, labelsize=5.5, pad=1)
    bar.get_xticklabels()[0].set_horizontalalignment("left")
    bar.get_xticklabels()[2].set_horizontalalignment("right")
    y = top + _TITLE + _IMAGE + 2
    for lines, colour in captions:
        y = write_lines(page.canvas, lines, x=_MARGIN, top=y, size=_SIZE, colour=ink(colour))


def _part_lines(part_descriptors: Sequence[Sequence[str]]) -> list[tuple[int, list[list[str]]]]:
    """The parts that have descriptors, each with its wrapped descriptors."""
    room = PAGE_WIDTH - _MARGIN - _TEXT_LEFT - _LINE_HANG
    return [
        (part, [wrap_text(text, room, _SIZE) for text in texts]) for part, texts in enumerate(part_descriptors) if texts
    ]


def _parts_height(parts: list[tuple[int, list[list[str]]]]) -> float:
    return sum(sum(len(lines) for lines in texts) * _PITCH + _PART_GAP for _, texts in parts)


def _draw_descriptors(page: Page, parts: list[tuple[int, list[list[str]]]]) -> None:
    y = _MARGIN + 2 * _TITLE
    if not parts:
        page.canvas.text(_TEXT_LEFT, y + 2, "no parts", color=GREY, fontsize=_SIZE, va="top")
    for part, texts in parts:
        draw_number(page.canvas, part, _TEXT_LEFT - 10, y + _PITCH / 2)
        for lines in texts:
            colour = ink(part_colour(part))
            y = write_lines(page.canvas, lines[:1], x=_TEXT_LEFT, top=y, size=_SIZE, colour=colour)
            y = write_lines(page.canvas, lines[1:], x=_TEXT_LEFT + _LINE_HANG, top=y, size=_SIZE, colour=colour)
        y += _PART_GAP


def _bar_heights(labels: list[list[str]]) -> list[float]:
    return [len(lines) * _PITCH + 2.5 for lines in labels]


def _draw_bars(page: Page, sample: SampleView, labels: list[list[str]], *, top: float, right: float) -> None:
    _title(page, "(d) Importance of the vision concepts", left=_MARGIN, top=top)
    heights = np.array(_bar_heights(labels))
    if not labels:
        page.canvas.text(_MARGIN, top + _TITLE + 2, "no vision concepts", color=GREY, fontsize=_SIZE, va="top")
        return
    left = _MARGIN + max(text_width(line, _SIZE, "bold") for lines in labels for line in lines) + 6
    axes = page.axes_at(left, top + _TITLE, right - left, float(heights.sum()))
    values = np.array([value for _, value in sample.concepts])
    middles = heights.cumsum() - heights / 2
    mutual = [text in set(sample.language) for text, _ in sample.concepts]
    colours = [MUTUAL if shared else VISION for shared in mutual]
    axes.barh(middles, values, height=_PITCH - 1.5, color=colours)
    for y, value, lines, shared in zip(middles, values, labels, mutual, strict=True):
        weight: Weight = "bold" if shared else "normal"
        start = top + _TITLE + float(y) - len(lines) * _PITCH / 2
        write_lines(page.canvas, lines, x=left - 4, top=start, size=_SIZE, align="right", weight=weight)
        axes.annotate(
            f"{value:.2f}", (max(value, 0.0), y), (2, 0), textcoords="offset points", va="center", fontsize=5.5
        )
    # A tenth of the width is left for the numbers at the ends of the bars.
    axes.set(
        ylim=(heights.sum(), 0), xlim=(min(values.min(), 0.0), max(values.max(), 1e-9) * 1.1), yticks=[], xticks=[]
    )
    axes.spines["bottom"].set_visible(False)
    keys = [Patch(color=MUTUAL, label="mutual"), Patch(color=VISION, label="vision only")]
    axes.legend(
        handles=keys,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        borderaxespad=0.2,
        handlelength=1,
        handleheight=0.7,
    )
