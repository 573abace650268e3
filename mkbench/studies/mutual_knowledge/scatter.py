"""AUC and excess AUC over accuracy for a family of models, with what the points show said in the titles."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.point_labels import Boxes, box_between, label_points, shifted, stack_boxes
from mkbench.plotting.style import GREY, PAGE_WIDTH, PALETTE, Page, print_style, quiet_axes, wrap_text
from mkbench.runs.results import explainer_label, explainer_names, sort_explainers
from mkbench.runs.schema import RunResults
from mkbench.studies.mutual_knowledge.model_points import ModelPoint, error_bars, model_points
from mkbench.studies.mutual_knowledge.trend import Trend, describe_trends, fit_trend, signed

_MARKERS = "osD^v<>P"
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
    three; models with random weights are hollow and stay out of it. The titles say what the lines show; a correlation
    below 0.5 is called no change. The explainers of a model share their accuracy and stand 3 points apart.

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
        >>> figure.axes[1].get_title(loc="left")
        'AUC rises with accuracy here (PCA: r = 1.00)'
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
    unbroken = sentence.replace(" = ", "\u00a0=\u00a0").replace(": r", ":\u00a0r")
    return [line.replace("\u00a0", " ") for line in wrap_text(unbroken, _WIDTH, 7.0, "bold")]


def _look(index: int) -> tuple[str, str]:
    """Colour and marker of an explainer."""
    return PALETTE[index % len(PALETTE)], _MARKERS[index % len(_MARKERS)]


def _legend_keys(panel: _Panel) -> list[Line2D]:
    keys = []
    for index, (name, points) in enumerate(panel.items()):
        trend = _trend(points)
        colour, marker = _look(index)
        note = "no line" if trend is None else f"r = {signed(trend.r)}"
        label = f"{explainer_label(name)}, {note}"
        keys.append(Line2D([], [], color=colour, marker=marker, markersize=3.5, linewidth=0.9, label=label))
    if any(point.random_weights for points in panel.values() for point in points):
        label = "hollow: random weights, not part of the line"
        keys.append(Line2D([], [], color=GREY, marker="o", markersize=3.5, linewidth=0, fillstyle="none", label=label))
    return keys


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    quiet_axes(axes)
    shifts = {name: (index - (len(panel) - 1) / 2) * _DODGE for index, name in enumerate(panel)}
    # Limits are settled before the labels look for room.
    corners = [
        corner
        for points in panel.values()
        for point in points
        for bar in error_bars(point.accuracy, point.metric)
        for corner in bar
    ]
    axes.update_datalim(corners or [(0, 0), (1, 1)])
    axes.margins(0.08, 0.12)
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    for locator in (axes.xaxis, axes.yaxis):
        locator.set_major_locator(MaxNLocator(6))
    for index, (name, points) in enumerate(panel.items()):
        colour, marker = _look(index)
        _draw_points(axes, points, colour=colour, marker=marker, shift=shifts[name])
        _draw_line(axes, points, colour=colour)
    _label_models(axes, panel, shifts)
    axes.legend(
        handles=_legend_keys(panel), loc="upper left", bbox_to_anchor=(-0.03, -0.14), borderaxespad=0, labelspacing=0.35
    )


def _draw_points(axes: Axes, points: Sequence[ModelPoint], *, colour: str, marker: str, shift: float) -> None:
    moved = shifted(axes, shift)
    for point in points:
        for bar in error_bars(point.accuracy, point.metric):
            axes.plot(*np.transpose(bar), color=colour, linewidth=0.7, alpha=0.55, transform=moved, zorder=2)
        x, y = [point.accuracy.value], [point.metric.value]
        fill = "white" if point.random_weights else colour
        axes.plot(
            x,
            y,
            marker=marker,
            color=colour,
            markerfacecolor=fill,
            markersize=3.5,
            linewidth=0,
            transform=moved,
            zorder=3,
        )


def _draw_line(axes: Axes, points: Sequence[ModelPoint], *, colour: str) -> None:
    ends = _line(points, samples=2)
    if len(ends):
        axes.plot(*ends.T, color=colour, linewidth=1.0, alpha=0.8, zorder=1)


def _line(points: Sequence[ModelPoint], *, samples: int) -> Boxes:
    """Evenly spaced points of the trend, (samples, 2), from the least to the most accurate trained model."""
    trend = _trend(points)
    if trend is None:
        return np.zeros((0, 2))
    accuracy = [point.accuracy.value for point in points if not point.random_weights]
    x = np.linspace(min(accuracy), max(accuracy), samples)
    return np.stack([x, trend.slope * x + trend.intercept], axis=1)


def _label_models(axes: Axes, panel: _Panel, shifts: dict[str, float]) -> None:
    """Name each model once, at the highest of its points."""
    highest: dict[int, ModelPoint] = {}
    for point in (point for points in panel.values() for point in points):
        best = highest.setdefault(point.document, point)
        if point.metric.value > best.metric.value:
            highest[point.document] = point
    named = [highest[document] for document in sorted(highest)]
    places = [(point.accuracy.value, point.metric.value) for point in named]
    markers = [
        box_between(axes, [(point.accuracy.value, point.metric.value)] * 2, shift=shifts[name], pad=2.5)
        for name, points in panel.items()
        for point in points
    ]
    lines = [
        box_between(axes, bar, shift=shifts[name], pad=0.5)
        for name, points in panel.items()
        for point in points
        for bar in error_bars(point.accuracy, point.metric)
    ]
    lines += [
        box_between(axes, [(x, y)] * 2, pad=1.0) for points in panel.values() for x, y in _line(points, samples=60)
    ]
    label_points(axes, places, [point.model for point in named], markers=stack_boxes(markers), lines=stack_boxes(lines))
