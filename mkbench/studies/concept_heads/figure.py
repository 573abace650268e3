"""Both systems in one image: excess AUC over the metrics of heads, one point for each model and explainer."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.point_labels import box_between, label_points, stack_boxes
from mkbench.plotting.style import GREY, PAGE_WIDTH, PALETTE, Page, print_style, quiet_axes
from mkbench.runs.results import Estimate, explainer_label, sort_explainers
from mkbench.studies.mutual_knowledge.model_points import error_bars
from mkbench.studies.mutual_knowledge.table import MODEL, Row
from mkbench.studies.mutual_knowledge.trend import fit_trend, signed

#: Metric of the heads -> how its axis is called, and which way is better.
_PANELS = {
    "entanglement": ("Entanglement", "share of heads, lower is better"),
    "association": ("Association", "share of heads, higher is better"),
    "concept_consistency": ("Concept consistency", "mean CCS, 0 to 5, higher is better"),
}
_VERTICAL = {"excess": "AUC in excess of chance (nats)", "auc": "AUC of the mutual information (nats)"}
_MARKERS = "osD^v<>P"
_LEFT, _GUTTER, _TOP, _HEIGHT, _BOTTOM, _LEGEND_LINE = 32.0, 10.0, 16.0, 150.0, 30.0, 9.5  # points
_WIDTH = (PAGE_WIDTH - _LEFT - 6 - (len(_PANELS) - 1) * (_GUTTER + 12)) / len(_PANELS)

_Point = tuple[str, bool, Estimate, Estimate]  # name, random weights, metric of the heads, AUC


def _vertical(rows: Sequence[Row]) -> str:
    """The key of the vertical axis: the AUC where no run has an excess."""
    return "excess" if any(row["excess"] is not None for row in rows) else "auc"


def _points(rows: Sequence[Row], metric: str, explainer: str) -> list[_Point]:
    """The models that have both."""
    key = _vertical(rows)
    return [
        (MODEL.print_cell(row).join(), row["random_weights"], row[metric], row[key])
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

    Bars are 95 % intervals: over images upright, over heads lying. Pearson's r stands in the legend for three trained
    models or more; models with random weights are hollow and stay out of it.

    Args:
        rows: from ``concept_head_rows``; without any excess, the AUC itself is drawn.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: for fewer than two models that have both.

    Example:
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


def _draw_panel(axes: Axes, panel: dict[str, list[_Point]]) -> None:
    quiet_axes(axes)
    bars = [bar for points in panel.values() for *_, x, y in points for bar in error_bars(x, y)]
    # Limits are settled before the labels look for room.
    axes.update_datalim([end for bar in bars for end in bar] or [(0, 0), (1, 1)])
    axes.margins(0.08, 0.12)
    axes.autoscale_view()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    keys = [_draw_points(axes, name, points, index) for index, (name, points) in enumerate(panel.items())]
    if any(random for points in panel.values() for _, random, *_ in points):
        label = "hollow: random weights, not in r"
        keys.append(Line2D([], [], color=GREY, marker="o", markersize=3.5, linewidth=0, fillstyle="none", label=label))
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(-0.03, -0.17), borderaxespad=0, labelspacing=0.35)
    # A model's explainers share the metric of its heads: one name is enough, at the highest of its points.
    highest: dict[str, tuple[float, float]] = {}
    for name, _, x, y in (point for points in panel.values() for point in points):
        highest[name] = max(highest.get(name, (x.value, y.value)), (x.value, y.value), key=lambda place: place[1])
    markers = [box_between(axes, [(x.value, y.value)] * 2, pad=2.5) for points in panel.values() for *_, x, y in points]
    lines = [box_between(axes, bar, pad=0.5) for bar in bars]
    label_points(axes, list(highest.values()), list(highest), markers=stack_boxes(markers), lines=stack_boxes(lines))


def _draw_points(axes: Axes, explainer: str, points: Sequence[_Point], index: int) -> Line2D:
    """Draw the models by one explainer; return their key in the legend."""
    colour, marker = PALETTE[index % len(PALETTE)], _MARKERS[index % len(_MARKERS)]
    for _, random, x, y in points:
        for bar in error_bars(x, y):
            axes.plot(*zip(*bar, strict=True), color=colour, linewidth=0.7, alpha=0.55, zorder=2)
        fill = "white" if random else colour
        look = {"marker": marker, "color": colour, "markerfacecolor": fill, "markersize": 3.5, "linewidth": 0}
        axes.plot([x.value], [y.value], zorder=3, **look)  # type: ignore[arg-type]
    trained = [(x.value, y.value) for _, random, x, y in points if not random]
    trend = fit_trend([x for x, _ in trained], [y for _, y in trained])
    label = explainer_label(explainer)
    if trend is not None:
        label += f", r = {signed(trend.r)} over {trend.models} models"
    return Line2D([], [], color=colour, marker=marker, markersize=3.5, linewidth=0, label=label)
