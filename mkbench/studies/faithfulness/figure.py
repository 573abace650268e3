"""Figure of explainers by criteria: a panel for each criterion, a row for each explainer, intervals over images."""

import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mkbench.concepts.controls import CONTROLS, PLANTED
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.plotting.scatter import hollow_key, series_key, series_look
from mkbench.plotting.style import GREY, PAGE_WIDTH, Page, print_style, quiet_axes, wrap_text
from mkbench.runs.results import explainer_label, sort_explainers
from mkbench.studies.faithfulness.study import Row
from mkbench.studies.metric_columns import metric_column

#: Criteria of the figure, as far as the runs have them.
CRITERIA = (
    *("deletion", "exact_deletion", "descriptor_precision", "part_iou", "intervention_j"),
    "mutual_information_auc_excess",
)
#: Criteria of which planted truth has the best value whatever the model: drawn, it would leave the others no room.
_BEST_BY_CONSTRUCTION = ("descriptor_precision", "part_iou", "intervention_j")
#: It names more concepts than explainers do, which this grows with.
_OF_ITS_OWN_SIZE = ("mutual_information_auc_excess",)
_PUBLISHED = ("pca", "kmeans")
_HOLLOW = "hollow: no better than a control"
_LEFT, _TOP, _BOTTOM, _GAP = 76.0, 27.0, 22.0, 10.0  # points
_KEYS_OF_A_LINE, _LEGEND_LINE = 5, 12.0
_ROW, _MARKER_SIZE, _TITLE_SIZE = 14.0, 3.0, 7.5


def compares_families(rows: Sequence[Row]) -> bool:
    """Say whether rows compare explainers other than the published ones and the controls by a criterion of the figure.

    >>> compares_families([{"explainer": "pca", "estimates": {"deletion": 1.0}}])
    False
    """
    others = [row for row in rows if row["explainer"] not in (*_PUBLISHED, *CONTROLS, PLANTED)]
    return any(metric in row["estimates"] for row in others for metric in CRITERIA)


def faithfulness_figure(rows: Sequence[Row]) -> Figure:
    """Draw every explainer by every criterion, those no better than a control hollow.

    Of planted truth, criteria that it has the best value of by construction show that value as a number.

    Args:
        rows: of ``faithfulness_rows``; those of one model have one look.

    Returns:
        A figure of a page's width, for ``save_figure``.

    Raises:
        ValueError: if no row has a criterion of the figure.

    Example:
        >>> from mkbench.runs.results import Estimate
        >>> row = {"model": "ViT", "explainer": "legrad", "not_separated": {}}
        >>> figure = faithfulness_figure([row | {"estimates": {"part_iou": Estimate(0.3, (0.2, 0.4))}}])
        >>> [label.get_text() for label in figure.axes[1].get_yticklabels()]
        ['LeGrad']
    """
    metrics = [metric for metric in CRITERIA if any(metric in row["estimates"] for row in rows)]
    if not metrics:
        raise ValueError(f"rows must have one of {', '.join(CRITERIA)}, found none")
    explainers = sort_explainers({row["explainer"] for row in rows})
    models = list(dict.fromkeys(row["model"] for row in rows))
    height = _ROW * len(explainers)
    keys = [*(series_key(index, model) for index, model in enumerate(models)), hollow_key(_HOLLOW)]
    bottom = _BOTTOM + _LEGEND_LINE * math.ceil(len(keys) / _KEYS_OF_A_LINE)
    with print_style():
        page = Page(PAGE_WIDTH, _TOP + height + bottom)
        width = (PAGE_WIDTH - _LEFT - _GAP * len(metrics)) / len(metrics)
        for place, metric in enumerate(metrics):
            axes = page.axes_at(_LEFT + place * (width + _GAP), _TOP, width, height)
            for row in rows:
                _draw_row(axes, row, metric, explainers, models)
            title = re.sub(" (?=[↑↓]$)", "\N{NO-BREAK SPACE}", metric_column(metric, metric).title)
            axes.set_title("\n".join(wrap_text(title, width, _TITLE_SIZE, "bold")), pad=5)
            _finish(axes, explainers, named=place == 0)
        page.figure.legend(handles=keys, loc="lower left", ncols=_KEYS_OF_A_LINE)
    return page.figure


def _draw_row(axes: Axes, row: Row, metric: str, explainers: Sequence[str], models: Sequence[str]) -> None:
    estimate = row["estimates"].get(metric)
    if estimate is None or (row["explainer"] == PLANTED and metric in _OF_ITS_OWN_SIZE):
        return
    if row["explainer"] == PLANTED and metric in _BEST_BY_CONSTRUCTION:
        best = f"{estimate.value:.2g} by construction"
        place = (0.5, explainers.index(PLANTED))
        axes.annotate(best, place, xycoords=("axes fraction", "data"), ha="center", va="center", color=GREY, size=6)
        return
    shown, index = estimate.scaled(CATALOGUE[metric].display.scale), models.index(row["model"])
    colour, marker = series_look(index)
    level = explainers.index(row["explainer"]) + 0.7 * ((index + 0.5) / len(models) - 0.5)
    low, high = shown.interval or (shown.value, shown.value)
    axes.plot([low, high], [level, level], color=colour, linewidth=0.7, alpha=0.55)
    fill = "white" if row["not_separated"].get(metric) else colour
    axes.plot([shown.value], [level], marker, color=colour, markerfacecolor=fill, markersize=_MARKER_SIZE)


def _finish(axes: Axes, explainers: Sequence[str], *, named: bool) -> None:
    axes.set_yticks(range(len(explainers)), [explainer_label(name) if named else "" for name in explainers])
    axes.set_ylim(len(explainers) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    quiet_axes(axes)
    axes.tick_params(axis="y", length=0)
