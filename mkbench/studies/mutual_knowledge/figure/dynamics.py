"""Curves of the mutual information of several models over each other, a panel for each explainer."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.style import GREY, PAGE_WIDTH, PALETTE, Page, print_style, quiet_axes, text_width, wrap_text
from mkbench.runs.results import (
    ABSENT,
    estimator_name,
    explainer_label,
    family_name,
    find_metric,
    model_label,
    sort_explainers,
    sort_families,
)
from mkbench.runs.schema import RunResults

_COLUMNS = 2
_LEFT, _GUTTER, _TOP, _BOTTOM, _HEIGHT = 30.0, 10.0, 16.0, 32.0, 190.0  # points
_COLUMN = (PAGE_WIDTH - _GUTTER) / _COLUMNS
_KEY = 22.0  # room for the line in front of a name
_LEGEND_SIZE, _WIDEST_NAME = 6.0, 92.0
#: With more models, curves at chance level would hide each other; a band then shows where they lie.
_MOST_CHANCE_CURVES = 5
_COLOURS = tuple(colour for colour in PALETTE if colour != "#F0E442")  # yellow lines do not show on white
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.2)), (0, (1.2, 1.2)))

_Look = tuple[str, Any]  # colour and dashes


def has_curves(results: Sequence[RunResults]) -> bool:
    """Tell whether any run has a curve of mutual information.

    >>> has_curves([{"curves": {}}])
    False
    """
    return any(document["curves"].get("mutual_information") for document in results)


def dynamics_figure(results: Sequence[RunResults]) -> Figure:
    """Draw the averaged curves of mutual information of all runs, a panel for each explainer and a line for each model.

    Source: Figure 3 (left and middle) of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016; the chance level is
    ours. The legend names the models from the highest curve at the start to the lowest, with their AUC. Each family
    has its own kind of line, as long as there are enough of them. Chance levels are thin dashed lines for up to five
    models, a grey band from the lowest to the highest for more.

    Args:
        results: parsed ``results.json`` of each run.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: if no run has a curve.

    Example:
        >>> def document(name, curve):
        ...     curves = {"mutual_information": {"pca": curve}, "mutual_information_chance": {"pca": [1.0, 0.0]}}
        ...     return {"model": {"name": name}, "settings": {"estimator": "paper"}, "metrics": [], "curves": curves}
        >>> figure = dynamics_figure([document("low", [2.0, 0.0]), document("high", [3.0, 0.0])])
        >>> [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
        ['high (–)', 'low (–)', 'at chance']
    """
    if not has_curves(results):
        raise ValueError("results must hold a curve of mutual information, found none")
    found = {name for document in results for name in document["curves"].get("mutual_information", {})}
    explainers = sort_explainers(found)
    looks = _looks(results)
    row = _TOP + _HEIGHT + _BOTTOM
    with print_style():
        page = Page(PAGE_WIDTH, row * ceil(len(explainers) / _COLUMNS))
        panels = []
        for index, name in enumerate(explainers):
            down, across = divmod(index, _COLUMNS)
            labels = _labels(results, name)
            lines = [line for label in labels for line in label.split("\n")]
            legend = max(text_width(line, _LEGEND_SIZE) for line in lines) + _KEY
            left, top = across * (_COLUMN + _GUTTER) + _LEFT, down * row + _TOP
            axes = page.axes_at(left, top, _COLUMN - _LEFT - legend, _HEIGHT)
            keys = _draw_curves(axes, results, name, labels, looks)
            _finish(axes, results, name)
            panels.append(axes)
            axes.legend(
                handles=keys,
                loc="upper left",
                bbox_to_anchor=(1.0, 1.02),
                title="model (AUC)",
                title_fontsize=_LEGEND_SIZE,
                alignment="left",
                fontsize=_LEGEND_SIZE,
                handlelength=1.8,
                handletextpad=0.5,
                borderaxespad=0.3,
                labelspacing=0.4,
            )
        highest = max(axes.get_ylim()[1] for axes in panels)
        for axes in panels:
            axes.set_ylim(0, highest)  # one scale, so that explainers and controls compare by eye
    return page.figure


def _looks(results: Sequence[RunResults]) -> list[_Look]:
    """Colour and dashes of each model, the same in every panel: own colours first, dashes tell families apart."""
    names = [family_name(document) for document in results]
    families = sort_families(set(names))
    looks: list[_Look] = []
    for name in names:
        first = families.index(name) % len(_STYLES)
        candidates = [(colour, style) for style in _STYLES[first:] + _STYLES[:first] for colour in _COLOURS]
        used = [colour for colour, _ in looks]
        looks.append(min(candidates, key=lambda look: (looks.count(look), used.count(look[0]))))
    return looks


def _labels(results: Sequence[RunResults], explainer: str) -> list[str]:
    """Name and AUC of each model, in as many lines as it needs."""
    labels = []
    for document in results:
        auc = find_metric(document, "mutual_information_auc", explainer)
        value = ABSENT if auc is None else f"{auc.value:.2f}"
        name = f"{model_label(document)} ({value})"
        labels.append("\n".join(wrap_text(name, _WIDEST_NAME, _LEGEND_SIZE)))
    return labels


def _curves(results: Sequence[RunResults], kind: str, explainer: str) -> dict[int, list[float]]:
    """The runs' curves by the index of the run, where they have one."""
    curves = {index: document["curves"].get(kind, {}).get(explainer) for index, document in enumerate(results)}
    return {index: curve for index, curve in curves.items() if curve}


def _draw_curves(
    axes: Axes, results: Sequence[RunResults], explainer: str, labels: Sequence[str], looks: Sequence[_Look]
) -> list[Line2D | Patch]:
    """Draw all curves; return the keys of the legend, the highest start first."""
    curves = _curves(results, "mutual_information", explainer)
    keys: list[Line2D | Patch] = []
    for index in sorted(curves, key=lambda index: -curves[index][0]):  # equal ones keep their order
        colour, style = looks[index]
        (line,) = axes.plot(curves[index], color=colour, linestyle=style, linewidth=1.1, label=labels[index])
        keys.append(line)
    chance = _curves(results, "mutual_information_chance", explainer)
    return keys + (_draw_chance(axes, chance, looks) if chance else [])


def _draw_chance(axes: Axes, chance: dict[int, list[float]], looks: Sequence[_Look]) -> list[Line2D | Patch]:
    if len(chance) <= _MOST_CHANCE_CURVES:
        for index, curve in chance.items():
            axes.plot(curve, color=looks[index][0], linestyle=(0, (3, 2)), linewidth=0.6)
        return [Line2D([], [], color=GREY, linestyle=(0, (3, 2)), linewidth=0.6, label="at chance")]
    padded = np.zeros((len(chance), max(map(len, chance.values()))))
    for row, curve in zip(padded, chance.values(), strict=True):
        row[: len(curve)] = curve
    band = axes.fill_between(
        range(padded.shape[1]), padded.min(axis=0), padded.max(axis=0), color="#C8C8C8", linewidth=0, alpha=0.8
    )
    band.set_zorder(1)
    return [Patch(color="#C8C8C8", alpha=0.8, label="range at chance")]


def _finish(axes: Axes, results: Sequence[RunResults], explainer: str) -> None:
    estimators = ", ".join(sorted({f"“{estimator_name(document) or 'unknown'}”" for document in results}))
    axes.set_title(explainer_label(explainer), pad=5)
    axes.set_xlabel("vision concepts removed, most important first")
    axes.set_ylabel(f"mutual information (nats, {estimators} estimator)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet_axes(axes)
