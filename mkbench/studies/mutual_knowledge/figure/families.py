"""Scatter of accuracy over AUC, with a line for each family of models."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mkbench.plotting.point_labels import LABEL_SIZE, Boxes
from mkbench.plotting.scatter import (
    ScatterPoint,
    draw_series,
    hollow_key,
    line_samples,
    name_points,
    series_key,
    series_look,
    settle_limits,
    wrap_title,
)
from mkbench.plotting.style import GREY, PAGE_WIDTH, Page, print_style, text_width
from mkbench.runs.results import explainer_label, explainer_names, sort_explainers, sort_families
from mkbench.runs.schema import RunResults
from mkbench.studies.mutual_knowledge.model_points import ModelPoint, model_points, scatter_point
from mkbench.studies.mutual_knowledge.trend import Trend, describe_trends, fit_trend, signed
from mkbench.studies.reproduction.published import PublishedLine

_METRIC = "mutual_information_auc"
_HIGHEST = 101.5  # accuracy that the axis shows, with room for half a marker
_COLUMNS = 2
_LEFT, _GUTTER, _BOTTOM = 30.0, 12.0, 32.0  # points
_HEIGHT, _TITLE_LINE, _LEGEND_LINE = 200.0, 9.5, 9.8
_WIDTH = (PAGE_WIDTH - _COLUMNS * _LEFT - _GUTTER - 6) / _COLUMNS

_Panel = dict[str, list[ModelPoint]]  # family -> its models


def _panel(results: Sequence[RunResults], explainer: str) -> _Panel:
    points = model_points(results, _METRIC, explainer)
    families = sort_families({point.family for point in points})
    return {name: [point for point in points if point.family == name] for name in families}


def _trend(points: Sequence[ModelPoint]) -> Trend | None:
    """Accuracy over AUC of the trained models."""
    trained = [point for point in points if not point.random_weights]
    return fit_trend([point.metric.value for point in trained], [point.accuracy.value for point in trained])


def _everyone(panel: _Panel) -> list[ModelPoint]:
    return [point for points in panel.values() for point in points]


def has_family_line(results: Sequence[RunResults]) -> bool:
    """Tell whether any family has a line: five trained models with an accuracy and an AUC.

    >>> has_family_line([])
    False
    """
    explainers = {name for document in results for name in explainer_names(document)}
    return any(_trend(points) is not None for name in explainers for points in _panel(results, name).values())


def family_scatter(results: Sequence[RunResults], *, published: PublishedLine | None = None) -> Figure:
    """Draw top-1 accuracy over the AUC of the mutual information, a panel for each explainer.

    Source: Figure 3 (right) of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016. A least-squares line runs through
    the models of each family with at least five, and a grey dashed one through all where there are several families.
    Bars are 95 % intervals; models with random weights are hollow and stay out of the lines.

    Args:
        results: parsed ``results.json`` of each model.
        published: a line to draw thin and dotted for reference; the caller sees to it that it is of the same data set.
            The published line of Table 3 follows from the mean of the AUC of PCA and K-means.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: if no model has both an accuracy and an AUC.

    Example:
        >>> def document(name, top1, auc):
        ...     metrics = [("top1", None, top1), ("mutual_information_auc", "pca", auc)]
        ...     return {
        ...         "model": {"name": name, "random_weights": False, "family": "ViT"},
        ...         "metrics": [{"name": n, "explainer": e, "value": v, "interval": None} for n, e, v in metrics],
        ...     }
        >>> figure = family_scatter([document(f"toy-{auc}", auc / 5, auc) for auc in range(1, 6)])
        >>> figure.axes[1].get_legend().get_texts()[0].get_text()
        'ViT: accuracy = 20.0 × AUC + 0.0, r = 1.00 (5 models)'
    """
    explainers = sort_explainers({name for document in results for name in explainer_names(document)})
    panels = {name: panel for name in explainers if (panel := _panel(results, name))}
    if not panels:
        raise ValueError("results must hold top1 and an AUC of at least one model, found none")
    titles = {name: _title(name, panel) for name, panel in panels.items()}
    top = max(map(len, titles.values())) * _TITLE_LINE + 6
    keys = {name: _legend_keys(panel, published) for name, panel in panels.items()}
    row = top + _HEIGHT + _BOTTOM + max(map(len, keys.values())) * _LEGEND_LINE + 6
    with print_style():
        page = Page(PAGE_WIDTH, row * ceil(len(panels) / _COLUMNS))
        for index, (name, panel) in enumerate(panels.items()):
            down, across = divmod(index, _COLUMNS)
            left = _LEFT + across * (_WIDTH + _LEFT + _GUTTER)
            axes = page.axes_at(left, down * row + top, _WIDTH, _HEIGHT)
            axes.set_title("\n".join(titles[name]), fontsize=7, pad=4)
            axes.set(xlabel="AUC of the mutual information (nats)", ylabel="zero-shot top-1 accuracy (%)")
            _draw_panel(axes, panel, published)
            axes.legend(
                handles=keys[name], loc="upper left", bbox_to_anchor=(-0.03, -0.14), borderaxespad=0, labelspacing=0.35
            )
    return page.figure


def _title(explainer: str, panel: _Panel) -> list[str]:
    """The lines of a panel's title."""
    name = f"{explainer_label(explainer)}: AUC"
    sentence = describe_trends(name, {family: _trend(points) for family, points in panel.items()})
    return wrap_title(sentence, _WIDTH)


def _equation(slope: float, intercept: float, decimals: int) -> str:
    sign = "\u2212" if intercept < 0 else "+"
    return f"accuracy = {slope:.{decimals}f} \u00d7 AUC {sign} {abs(intercept):.{decimals}f}".replace("-", "\u2212")


def _line_label(name: str, points: Sequence[ModelPoint]) -> str:
    trend = _trend(points)
    trained = sum(not point.random_weights for point in points)
    models = f"{trained} model{'' if trained == 1 else 's'}"
    if trend is None:
        return f"{name}: no line ({models})"
    return f"{name}: {_equation(trend.slope, trend.intercept, 1)}, r = {signed(trend.r)} ({models})"


def _legend_keys(panel: _Panel, published: PublishedLine | None) -> list[Line2D]:
    keys = []
    for index, (name, points) in enumerate(panel.items()):
        width = 0.0 if _trend(points) is None else 1.0
        keys.append(series_key(index, _line_label(name, points), linewidth=width))
    if len(panel) > 1 and _trend(_everyone(panel)) is not None:
        label = _line_label("all", _everyone(panel))
        keys.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1.0, label=label))
    if published is not None:
        label = f"published for {published.family}: {_equation(published.slope, published.intercept, 2)}"
        keys.append(Line2D([], [], color="black", linestyle=":", linewidth=0.9, label=label))
    if any(point.random_weights for point in _everyone(panel)):
        keys.append(hollow_key("hollow: random weights, not part of a line"))
    return keys


def _point(model: ModelPoint) -> ScatterPoint:
    return scatter_point(model.metric, model.accuracy, random_weights=model.random_weights)


def _draw_panel(axes: Axes, panel: _Panel, published: PublishedLine | None) -> None:
    models = _everyone(panel)
    points = [_point(model) for model in models]
    settle_limits(axes, points, margins=(0.08, 0.1), ticks=6)
    low, high = axes.get_ylim()
    axes.set(xlim=_with_room_for_names(axes, models), ylim=(low, min(high, _HIGHEST)))
    lines = []
    for index, own in enumerate(panel.values()):
        draw_series(axes, [_point(model) for model in own], index)
        lines.append(_draw_line(axes, own, colour=series_look(index)[0], style="-"))
    if len(panel) > 1:
        lines.append(_draw_line(axes, models, colour=GREY, style="--"))
    if published is not None:
        line = line_samples(published.slope, published.intercept, axes.get_xlim())
        axes.plot(*line.T, color="black", linestyle=":", linewidth=0.9, zorder=1)
        lines.append(line[(line[:, 1] >= low) & (line[:, 1] <= high)])
    named = [(model.model, point) for model, point in zip(models, points, strict=True)]
    name_points(axes, named, [(point, 0.0) for point in points], lines)


def _with_room_for_names(axes: Axes, points: Sequence[ModelPoint]) -> tuple[float, float]:
    """Limits of x that leave room for a name beside the last point."""
    left, right = axes.get_xlim()
    share = min((max(text_width(point.model, LABEL_SIZE) for point in points) + 8) / _WIDTH, 0.5)
    last = max(point.metric.value for point in points)
    return left, max(right, (last - share * left) / (1 - share))


def _draw_line(axes: Axes, points: Sequence[ModelPoint], *, colour: str, style: str) -> Boxes:
    """Draw the line of some models, and return evenly spaced points of it, (samples, 2)."""
    trend = _trend(points)
    if trend is None:
        return np.zeros((0, 2))
    auc = [point.metric.value for point in points if not point.random_weights]
    line = line_samples(trend.slope, trend.intercept, (min(auc), max(auc)))
    axes.plot(*line.T, color=colour, linestyle=style, linewidth=1.0, alpha=0.8, zorder=1)
    return line
