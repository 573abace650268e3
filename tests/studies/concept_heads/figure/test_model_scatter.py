from __future__ import annotations

import pytest
from concept_head_rows import joint_row
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text
from result_documents import overlapping, visible_texts
from scipy.stats import pearsonr

from mkbench.studies.concept_heads.figure.model_scatter import concept_heads_figure, has_points

NAMES = ["ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336", "RN-50"]
SHARES, EXCESS = [0.6, 0.5, 0.3, 0.35, 0.7], [1.1, 1.0, 1.5, 1.7, 0.8]
ROWS = [
    joint_row(name, explainer, entanglement=share, excess=excess + (explainer == "kmeans") / 5)
    for name, share, excess in zip(NAMES, SHARES, EXCESS, strict=True)
    for explainer in ("pca", "kmeans")
]


def legend(axes: Axes) -> list[str]:
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def points(axes: Axes) -> list[tuple[float, float]]:
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_zorder() == 3]


def test_every_model_is_a_point_with_its_interval() -> None:
    figure = concept_heads_figure(ROWS)
    assert overlapping(visible_texts(figure)) == []
    for text in visible_texts(figure):
        box = Text.get_window_extent(text)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()
    axes = figure.axes[1]
    assert points(axes)[:5] == list(zip(SHARES, EXCESS, strict=True))
    bars = [line for line in axes.lines if line.get_zorder() == 2]
    assert list(bars[0].get_xdata()) == pytest.approx([0.55, 0.65])
    assert list(bars[1].get_ydata()) == pytest.approx([1.05, 1.15])
    assert sorted(text.get_text() for text in axes.texts if isinstance(text, Annotation)) == sorted(NAMES)
    r = f"{pearsonr(SHARES, EXCESS).statistic:.2f}".replace("-", "\u2212")
    assert legend(axes) == [f"PCA, r = {r} over 5 models", f"K-means, r = {r} over 5 models"]
    assert axes.get_ylabel() == "AUC in excess of chance (nats)"
    assert "lower is better" in axes.get_xlabel()


def test_random_weights_are_hollow_and_not_in_the_correlation() -> None:
    noise = joint_row("noise", random=True, entanglement=0.9, excess=9.0)
    axes = concept_heads_figure([*ROWS, noise]).axes[1]
    assert legend(axes)[:2] == legend(concept_heads_figure(ROWS).axes[1])
    assert legend(axes)[2] == "hollow: random weights, not in r"
    assert [line.get_markerfacecolor() for line in axes.lines if line.get_zorder() == 3].count("white") == 1


def test_two_models_without_excess_show_the_auc() -> None:
    rows = [joint_row(name, excess=None, association=None) for name in ("a", "b")]
    figure = concept_heads_figure(rows)
    assert figure.axes[1].get_ylabel() == "AUC of the mutual information (nats)"
    assert legend(figure.axes[1]) == ["PCA"]  # too few for a correlation
    assert [len(points(axes)) for axes in figure.axes[1:]] == [2, 0, 2]


def test_one_model_is_no_figure() -> None:
    rows = [joint_row("a"), joint_row("a", "kmeans"), joint_row("b", entanglement=None)]
    assert not has_points([row | {"association": None, "concept_consistency": None} for row in rows])
    assert has_points(rows)
    with pytest.raises(ValueError, match="at least two models, found fewer"):
        concept_heads_figure(rows[:2])
