"""Curve of the mutual information of one run while its concepts are removed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.style import COLUMN_WIDTH, PALETTE, Page, print_style, quiet_axes
from mkbench.runs.results import ABSENT, estimator_name, explainer_label, find_metric, model_label, sort_explainers
from mkbench.runs.schema import RunResults

_LEFT, _TOP, _BOTTOM = 34.0, 18.0, 30.0  # room of the axis labels and of the title, points
_HEIGHT = 140.0
_LEGEND_LINE = 11.0
_MARKERS = "o^sD"  # beyond as many explainers as there are colours, the next marker


def mi_curve_figure(results: RunResults) -> Figure:
    """Draw the averaged curves of mutual information of one run, with those at chance level dashed.

    Source: the curves of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016; the chance level is ours.

    Args:
        results: a parsed ``results.json``.

    Returns:
        A figure of one column's width, for ``save_figure``.

    Raises:
        ValueError: if the run has no curve.

    Example:
        >>> results = {
        ...     "model": {"name": "vit", "label": "ViT-B/16"}, "settings": {"estimator": "paper"},
        ...     "metrics": [{"name": "mutual_information_auc", "explainer": "pca", "value": 2.1, "interval": [2, 3]}],
        ...     "curves": {"mutual_information": {"pca": [4.2, 2.1, 0.0]}, "mutual_information_chance": {}},
        ... }
        >>> [text.get_text() for text in mi_curve_figure(results).legends[0].get_texts()]
        ['PCA: AUC 2.10']
    """
    curves = results["curves"].get("mutual_information", {})
    chance = results["curves"].get("mutual_information_chance", {})
    if not curves:
        raise ValueError("results must hold a curve of mutual information, found none")
    with print_style():
        page = Page(COLUMN_WIDTH, _TOP + _HEIGHT + _BOTTOM + _LEGEND_LINE * len(curves) + 4)
        axes = page.axes_at(_LEFT, _TOP, COLUMN_WIDTH - _LEFT - 8, _HEIGHT)
        keys: list[Line2D] = []
        # A legend is filled column by column: the explainers in the first, their chance levels in the second.
        for kind, of_explainer in (("", curves), ("_chance", chance)):
            for index, name in enumerate(sort_explainers(set(curves))):
                if name in of_explainer:
                    auc = find_metric(results, f"mutual_information_auc{kind}", name)
                    value = ABSENT if auc is None else f"{auc.value:.2f}"
                    label = f"{explainer_label(name)}{' at chance' if kind else ''}: AUC {value}"
                    keys.append(_draw_curve(axes, of_explainer[name], label, index=index, dashed=bool(kind)))
        _finish_curve_axes(axes, results)
        page.figure.legend(
            handles=keys, loc="lower left", bbox_to_anchor=(0.02, 0), ncols=2 if chance else 1, columnspacing=1.2
        )
    return page.figure


def _draw_curve(axes: Axes, curve: Sequence[float], label: str, *, index: int, dashed: bool) -> Line2D:
    colour, marker = PALETTE[index % len(PALETTE)], _MARKERS[index // len(PALETTE) % len(_MARKERS)]
    style, marker = ("--", "") if dashed else ("-", marker)
    (line,) = axes.plot(range(len(curve)), curve, style, color=colour, marker=marker, markersize=2.5, label=label)
    return line


def _finish_curve_axes(axes: Axes, results: RunResults) -> None:
    axes.set_title(model_label(results), pad=5)
    axes.set_xlabel("vision concepts removed, most important first")
    axes.set_ylabel(f"mutual information (nats, “{estimator_name(results) or 'unknown'}” estimator)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet_axes(axes)
