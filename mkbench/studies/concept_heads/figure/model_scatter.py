"""Scatter of excess AUC over the metrics of heads, a point for each model and explainer."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mkbench.plotting.scatter import ScatterPoint, draw_series, hollow_key, name_points, series_key, settle_limits
from mkbench.plotting.style import PAGE_WIDTH, Page, print_style
from mkbench.runs.results import explainer_label, sort_explainers
from mkbench.studies.mutual_knowledge.model_points import scatter_point
from mkbench.studies.mutual_knowledge.table import MODEL, Row
from mkbench.studies.mutual_knowledge.trend import fit_trend, signed

#: Metric of the heads -> how its axis is called, and which way is better.
_PANELS = {
    "entanglement": ("Entanglement", "share of heads, lower is better"),
    "association": ("Association", "share of heads, higher is better"),
    "concept_consistency": ("Concept consistency", "mean CCS, 0 to 5, higher is better"),
}
_VERTICAL = {"excess": "AUC in excess of chance (nats)", "auc": "AUC of the mutual information (nats)"}
_LEFT, _GUTTER, _TOP, _HEIGHT, _BOTTOM, _LEGEND_LINE = 32.0, 10.0, 16.0, 150.0, 30.0, 9.5  # points
_WIDTH = (PAGE_WIDTH - _LEFT - 6 - (len(_PANELS) - 1) * (_GUTTER + 12)) / len(_PANELS)

_Named = tuple[str, ScatterPoint]


def _vertical(rows: Sequence[Row]) -> str:
    """The key of the vertical axis: the AUC where no run has an excess."""
    return "excess" if any(row["excess"] is not None for row in rows) else "auc"


def _points(rows: Sequence[Row], metric: str, explainer: str) -> list[_Named]:
    """The models that have both."""
    key = _vertical(rows)
    return [
        (MODEL.print_cell(row).join(), scatter_point(row[metric], row[key], random_weights=row["random_weights"]))
        for row in rows
        if row["explainer"] == explainer and row[metric] is not None and row[key] is not None
    ]


def _explainers(rows: Sequence[Row]) -> list[str]:
    return sort_explainers({row["explainer"] for row in rows if row["explainer"] is not None})


def has_points(rows: Sequence[Row]) -> bool:
    """Tell whether two models or more have an AUC and a metric of their heads.

    >>> has_points([])
    False
    """
    return any(len(_points(rows, metric, name)) > 1 for metric in _PANELS for name in _explainers(rows))


def concept_heads_figure(rows: Sequence[Row]) -> Figure:
    """Draw the excess AUC of models over the entanglement, the association and the consistency of their heads.

    Bars are 95 % intervals: over images upright, over heads lying. Pearson's r stands in the legend for five trained
    models or more; models with random weights are hollow and stay out of it.

    Args:
        rows: from ``concept_head_rows``; without any excess, the AUC itself is drawn.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: for fewer than two models that have both.

    Example:
        >>> from mkbench.runs.results import Estimate
        >>> def row(name, auc, share):
        ...     metrics = dict.fromkeys(["association", "concept_consistency", "excess"])
        ...     row = {"model": name, "random_weights": False, "explainer": "pca", "auc": Estimate(auc)}
        ...     return row | metrics | {"entanglement": Estimate(share)}
        >>> figure = concept_heads_figure([row("a", 1.0, 0.5), row("b", 2.0, 0.25)])
        >>> [axes.get_title(loc="left") for axes in figure.axes[1:]]
        ['Entanglement', 'Association', 'Concept consistency']
    """
    if not has_points(rows):
        raise ValueError("rows must hold an AUC and a metric of the heads of at least two models, found fewer")
    explainers = _explainers(rows)
    keys = len(explainers) + any(row["random_weights"] for row in rows)
    with print_style():
        page = Page(PAGE_WIDTH, _TOP + _HEIGHT + _BOTTOM + keys * _LEGEND_LINE + 4)
        for index, (metric, (title, scale)) in enumerate(_PANELS.items()):
            axes = page.axes_at(_LEFT + index * (_WIDTH + _GUTTER + 12), _TOP, _WIDTH, _HEIGHT)
            axes.set_title(title, fontsize=7, pad=4)
            axes.set(xlabel=scale, ylabel=_VERTICAL[_vertical(rows)] if index == 0 else "")
            _draw_panel(axes, {name: _points(rows, metric, name) for name in explainers})
    return page.figure


def _draw_panel(axes: Axes, panel: dict[str, list[_Named]]) -> None:
    points = [point for named in panel.values() for _, point in named]
    settle_limits(axes, points, margins=(0.08, 0.12), ticks=5)
    keys = []
    for index, (explainer, named) in enumerate(panel.items()):
        own = [point for _, point in named]
        draw_series(axes, own, index)
        keys.append(series_key(index, _label(explainer, own)))
    if any(point.hollow for point in points):
        keys.append(hollow_key("hollow: random weights, not in r"))
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(-0.03, -0.17), borderaxespad=0, labelspacing=0.35)
    # A model's explainers share the metric of its heads: one name is enough, at the highest of its points.
    highest: dict[str, ScatterPoint] = {}
    for name, point in (one for named in panel.values() for one in named):
        highest[name] = max(highest.get(name, point), point, key=lambda one: one.y)
    name_points(axes, list(highest.items()), [(point, 0.0) for point in points])


def _label(explainer: str, points: Sequence[ScatterPoint]) -> str:
    """Name the explainer in the legend, with the correlation over trained models."""
    trained = [point for point in points if not point.hollow]
    trend = fit_trend([point.x for point in trained], [point.y for point in trained])
    return explainer_label(explainer) + ("" if trend is None else f", r = {signed(trend.r)} over {trend.models} models")
