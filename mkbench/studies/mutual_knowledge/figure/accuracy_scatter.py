"""Scatter of AUC and excess AUC over accuracy, a point for each model and explainer."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
from mkbench.plotting.style import PAGE_WIDTH, Page, print_style
from mkbench.runs.results import explainer_label, explainer_names, sort_explainers
from mkbench.runs.schema import RunResults
from mkbench.studies.mutual_knowledge.model_points import ModelPoint, model_points, scatter_point
from mkbench.studies.mutual_knowledge.trend import Trend, describe_trends, fit_trend, signed

_LEFT, _GUTTER, _BOTTOM = 38.0, 6.0, 30.0  # points
_HEIGHT, _TITLE_LINE, _LEGEND_LINE = 190.0, 9.5, 9.5
_WIDTH = (PAGE_WIDTH - 2 * _LEFT - _GUTTER - 6) / 2
_DODGE = 3.0  # distance of two explainers of one model, which share their accuracy, points
_PANELS = (
    ("mutual_information_auc", "AUC", "AUC of the mutual information (nats)"),
    ("mutual_information_auc_excess", "Excess AUC", "AUC in excess of chance (nats)"),
)


_Panel = dict[str, list[ModelPoint]]


def _trend(points: Sequence[ModelPoint]) -> Trend | None:
    """The line through the trained models; chance-level weights would lend it a point that shows nothing of them."""
    trained = [point for point in points if not point.random_weights]
    return fit_trend([point.accuracy.value for point in trained], [point.metric.value for point in trained])


def accuracy_scatter(results: Sequence[RunResults]) -> Figure:
    """Draw AUC and excess AUC of the mutual information over top-1 accuracy, one point per model and explainer.

    Bars are 95 % intervals. A least-squares line runs through the models of each explainer where there are at least
    five; models with random weights are hollow and stay out of it. The titles say what the lines show, and claim no
    trend without a line or with an interval of the correlation that holds 0. The explainers of a model share
    their accuracy and stand 3 points apart, as the legend says.

    Args:
        results: parsed ``results.json`` of each model.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: if no model has both an accuracy and one of the two metrics.

    Example:
        >>> def document(name, top1, auc):
        ...     metrics = [("top1", None, top1), ("mutual_information_auc", "pca", auc)]
        ...     return {
        ...         "model": {"name": name, "random_weights": False},
        ...         "metrics": [{"name": n, "explainer": e, "value": v, "interval": None} for n, e, v in metrics],
        ...     }
        >>> figure = accuracy_scatter([document("a", 0.2, 1.0), document("b", 0.4, 2.0), document("c", 0.6, 3.0)])
        >>> "fewer than 5 models" in figure.axes[1].get_title(loc="left")
        True
    """
    explainers = sort_explainers({name for document in results for name in explainer_names(document)})
    panels = [{name: model_points(results, metric, name) for name in explainers} for metric, *_ in _PANELS]
    if not any(points for panel in panels for points in panel.values()):
        raise ValueError("results must hold top1 and an AUC of at least one model, found none")
    titles = [_title(name, panel) for panel, (_, name, _) in zip(panels, _PANELS, strict=True)]
    keys = max(len(_legend_keys(panel)) for panel in panels)
    top = max(len(lines) for lines in titles) * _TITLE_LINE + 6
    with print_style():
        page = Page(PAGE_WIDTH, top + _HEIGHT + _BOTTOM + keys * _LEGEND_LINE + 6)
        for index, (panel, lines) in enumerate(zip(panels, titles, strict=True)):
            axes = page.axes_at(_LEFT + index * (_WIDTH + _LEFT + _GUTTER), top, _WIDTH, _HEIGHT)
            axes.set_title("\n".join(lines), fontsize=7, pad=4)
            axes.set(xlabel="zero-shot top-1 accuracy (%)", ylabel=_PANELS[index][2])
            _draw_panel(axes, panel)
    return page.figure


def _title(name: str, panel: _Panel) -> list[str]:
    """The lines of a panel's title."""
    sentence = describe_trends(name, {explainer_label(key): _trend(points) for key, points in panel.items()})
    return wrap_title(sentence, _WIDTH)


def _legend_keys(panel: _Panel) -> list[Line2D]:
    keys = []
    for index, (name, points) in enumerate(panel.items()):
        trend = _trend(points)
        note = "no line" if trend is None else f"r = {signed(trend.r)}"
        width = 0.0 if trend is None else 0.9
        keys.append(series_key(index, f"{explainer_label(name)}, {note}", linewidth=width))
    if len(panel) > 1:
        keys.append(Line2D([], [], linestyle="none", label="points of a model are shifted sideways to be told apart"))
    if any(point.random_weights for points in panel.values() for point in points):
        keys.append(hollow_key("hollow: random weights, not part of the line"))
    return keys


def _point(model: ModelPoint) -> ScatterPoint:
    return scatter_point(model.accuracy, model.metric, random_weights=model.random_weights)


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    everyone = [_point(model) for models in panel.values() for model in models]
    settle_limits(axes, everyone, margins=(0.08, 0.12), ticks=6)
    shifts = [(index - (len(panel) - 1) / 2) * _DODGE for index in range(len(panel))]
    drawn: list[tuple[ScatterPoint, float]] = []
    lines = []
    for index, (models, shift) in enumerate(zip(panel.values(), shifts, strict=True)):
        points = [_point(model) for model in models]
        draw_series(axes, points, index, shift=shift)
        drawn += [(point, shift) for point in points]
        trend = _trend(models)
        if trend is not None:
            accuracy = [model.accuracy.value for model in models if not model.random_weights]
            line = line_samples(trend.slope, trend.intercept, (min(accuracy), max(accuracy)))
            axes.plot(*line[[0, -1]].T, color=series_look(index)[0], linewidth=1.0, alpha=0.8, zorder=1)
            lines.append(line)
    name_points(axes, _names(panel), drawn, lines)
    axes.legend(
        handles=_legend_keys(panel), loc="upper left", bbox_to_anchor=(-0.03, -0.14), borderaxespad=0, labelspacing=0.35
    )


def _names(panel: _Panel) -> list[tuple[str, ScatterPoint]]:
    """Name each model once, at the highest of its points."""
    highest: dict[int, ModelPoint] = {}
    for model in (model for models in panel.values() for model in models):
        best = highest.setdefault(model.document, model)
        if model.metric.value > best.metric.value:
            highest[model.document] = model
    return [(highest[document].model, _point(highest[document])) for document in sorted(highest)]
