"""Which heads carry the mutual concepts of each class, as a heat map: a row for each class, heads grouped by layer."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mkbench.plotting.style import LINE_HEIGHT, PAGE_WIDTH, Page, print_style, text_width, wrap_text, write_lines
from mkbench.runs.results import explainer_label
from mkbench.studies.concept_heads.study import ClassConceptHeads

_MARGIN, _BAR_ROOM, _LAYER_LINE, _ROW = 6.0, 36.0, 10.0, 7.5  # points
_HEADING, _SIZE, _SMALL = 8.0, 6.0, 5.5  # fonts, points
_MOST_CLASSES = 40  # rows of a page
_WIDEST_NAME = 110.0  # of a class, points
_NOTE = (
    "Colour: what a head adds to the images of the class, less the mean over classes, along the class's mutual "
    "concepts, less the mean of the bank. Dot: the head with the highest score."
)


def class_figure(found: ClassConceptHeads) -> Figure:
    """Draw the scores of all heads for each class that has mutual concepts, on one scale, white at zero.

    Names below are the numbers of the heads in their layer, and their labels where there are any. Of more than 40
    classes, those with the highest scores are drawn, in the order of the classes.

    Args:
        found: the concept heads of a model's classes.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: without a class that has mutual concepts.

    Example:
        >>> import torch
        >>> from mkbench.heads.concept_heads import ConceptHeads
        >>> concept_heads = ConceptHeads(torch.eye(2)[:, None], torch.zeros(2, 1, 2), *torch.ones(3, 2))
        >>> found = ClassConceptHeads("ViT", "pca", ("ant", "bee"), ["wings"], (11,), {(11, 1): "part"}, concept_heads)
        >>> axes = class_figure(found).axes[1]
        >>> [label.get_text() for label in axes.get_xticklabels()], axes.images[0].get_clim()
        (['0', '1 part'], (-1.0, 1.0))
    """
    rows = _choose_rows(found)
    scores = found.concept_heads.scores.flatten(1)[rows].numpy()  # (rows, heads)
    names = [_shorten(found.classes[row]) for row in rows]
    heading = f"Heads that carry the mutual concepts of each class: {found.model}, {explainer_label(found.explainer)}"
    if len(rows) < len(found.known()):
        heading += f" ({len(rows)} of {len(found.known())} classes, those with the highest scores)"
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING, "bold")
    left = _MARGIN + max(text_width(name, _SIZE) for name in names) + 5
    width = PAGE_WIDTH - left - _BAR_ROOM
    ticks = _head_names(found) if width / scores.shape[1] >= _SMALL else []
    below = max((text_width(tick, _SMALL) for tick in ticks), default=0.0) + 6
    note = wrap_text(_NOTE, PAGE_WIDTH - 2 * _MARGIN, _SIZE)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4 + _LAYER_LINE
    height = len(rows) * _ROW
    with print_style():
        page = Page(PAGE_WIDTH, top + height + below + len(note) * _SIZE * LINE_HEIGHT + _MARGIN)
        write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING, weight="bold")
        write_lines(page.canvas, note, x=_MARGIN, top=top + height + below, size=_SIZE)
        axes = page.axes_at(left, top, width, height)
        _draw(axes, scores, names, ticks)
        _draw_layers(page, axes, found, left=left, top=top, width=width)
        _draw_bar(page, axes, left=left + width + 6, top=top, height=min(height, 80.0))
    return page.figure


def _choose_rows(found: ClassConceptHeads) -> list[int]:
    """The classes to draw, in their order."""
    known = found.known()
    if not known:
        raise ValueError("found must hold a class with mutual concepts, found none")
    best = found.concept_heads.own[known].argsort(descending=True, stable=True)[:_MOST_CLASSES]
    return [known[place] for place in sorted(best.tolist())]


def _shorten(name: str) -> str:
    """Drop the end of a name that is too wide."""
    shown = name
    while text_width(shown, _SIZE) > _WIDEST_NAME:
        shown = f"{shown[:-2]}…"
    return shown


def _head_names(found: ClassConceptHeads) -> list[str]:
    heads = range(found.concept_heads.scores.shape[2])
    return [f"{head} {found.labels.get((layer, head), '')}".strip() for layer in found.layers for head in heads]


def _draw(axes: Axes, scores: NDArray[np.float64], names: list[str], ticks: list[str]) -> None:
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


def _draw_layers(page: Page, axes: Axes, found: ClassConceptHeads, *, left: float, top: float, width: float) -> None:
    """Name the layers above their heads, and part them by lines."""
    heads = found.concept_heads.scores.shape[2]
    step = width / len(found.layers)
    for place, layer in enumerate(found.layers):
        name = f"layer {layer}" if step > text_width(f"layer {layer}", _SIZE) + 2 else str(layer)
        middle = left + (place + 0.5) * step
        write_lines(page.canvas, [name], x=middle, top=top - _LAYER_LINE + 1, size=_SIZE, align="center")
        if place:
            axes.axvline(place * heads - 0.5, color="black", linewidth=0.6)


def _draw_bar(page: Page, axes: Axes, *, left: float, top: float, height: float) -> None:
    image = axes.images[0]
    limit = image.get_clim()[1]
    bar = page.axes_at(left, top, 4, height)
    page.figure.colorbar(image, cax=bar, ticks=[-limit, 0, limit])
    bar.set_yticklabels([f"\u2212{limit:.2g}", "0", f"{limit:.2g}"])
    bar.tick_params(length=1.5, width=0.4, labelsize=_SMALL, pad=1)
