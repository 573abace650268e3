import numpy as np
import pytest
from matplotlib.text import Annotation, Text
from result_documents import overlapping, results, visible_texts
from scipy.stats import linregress

from mkbench.studies.mutual_knowledge.figure.accuracy_scatter import accuracy_scatter

NAMES = ["ViT-B/32", "ViT-B/16", "ViT-B/32-dcp", "ViT-B/16-dcp", "ViT-L/14", "ViT-L/14@336", "ViT-B/16-dfn"]
NAMES += ["RN-50", "RN-101", "RN-50x4", "RN-50x16", "CNeXt-B1", "CNeXt-B2"]
TOP1 = [0.633, 0.683, 0.691, 0.735, 0.755, 0.766, 0.762, 0.598, 0.623, 0.662, 0.707, 0.662, 0.713]


def _family(slope=4.0, count=13):
    rng = np.random.default_rng(2)
    family = []
    for name, top1 in zip(NAMES[:count], TOP1[:count], strict=True):
        auc = 3 + slope * (top1 - 0.6) + rng.normal(0, 0.05)
        pca, kmeans = {"auc": auc, "excess": 1.0}, {"auc": auc - 0.1, "excess": 1.2}
        family.append(results(name, top1=top1, pca=pca, kmeans=kmeans))
    return family


def _names(axes):
    return [text for text in axes.texts if isinstance(text, Annotation)]


def _title(axes):
    return " ".join(axes.get_title(loc="left").split())


def test_thirteen_models_are_labelled_without_overlap():
    figure = accuracy_scatter(_family())
    texts = visible_texts(figure)
    assert overlapping(texts) == []
    left, right = figure.axes[1:]
    for axes in (left, right):
        assert sorted(text.get_text() for text in _names(axes)) == sorted(NAMES)
        frame = axes.get_window_extent()
        for text in _names(axes):
            box = Text.get_window_extent(text)
            assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
            assert frame.y0 <= box.y0 <= box.y1 <= frame.y1
    for text in texts:
        box = Text.get_window_extent(text)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()


@pytest.mark.parametrize(("slope", "verdict"), [(4.0, "AUC rises with"), (-4.0, "AUC falls with")])
def test_title_says_what_the_line_shows(slope, verdict):
    family = _family(slope)
    axes = accuracy_scatter(family).axes[1]
    auc = [entry["value"] for document in family for entry in document["metrics"] if entry["explainer"] == "pca"][::2]
    expected = linregress(np.multiply(TOP1, 100), auc)
    line = next(line for line in axes.lines if line.get_zorder() == 1)
    np.testing.assert_allclose(line.get_ydata(), expected.intercept + expected.slope * line.get_xdata())
    assert _title(axes).startswith(verdict)
    assert f"PCA: r = {expected.rvalue:.2f}".replace("-", "\u2212") in _title(axes)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[0] == f"PCA, r = {expected.rvalue:.2f}".replace("-", "\u2212")


def test_constant_excess_does_not_change():
    assert _title(accuracy_scatter(_family()).axes[2]) == (
        "Excess AUC over accuracy: no clear trend, the interval of r holds 0 (PCA: r = 0.00, K-means: r = 0.00)"
    )


@pytest.mark.parametrize("count", [2, 4])
def test_fewer_than_five_models_get_no_line_and_the_title_says_so(count):
    axes = accuracy_scatter(_family(count=count)).axes[1]
    assert _title(axes) == "AUC over accuracy: fewer than 5 models, too few for a trend"
    assert not [line for line in axes.lines if line.get_zorder() == 1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        *("PCA, no line", "K-means, no line"),
        "points of a model are shifted sideways to be told apart",
    ]


def test_random_weights_are_hollow_and_outside_the_line():
    family = _family(count=5)
    random = results("noise", top1=0.01, random_weights=True, pca={"auc": 9.0}, kmeans={"auc": 9.0})
    axes = accuracy_scatter([*family, random]).axes[1]
    assert _title(axes) == _title(accuracy_scatter(family).axes[1])
    hollow = [line for line in axes.lines if line.get_zorder() == 3 and line.get_markerfacecolor() == "white"]
    assert len(hollow) == 2
    assert "noise" in [text.get_text() for text in _names(axes)]


def test_limits_hold_the_intervals():
    axes = accuracy_scatter(_family(count=1)).axes[1]
    assert axes.get_ylim()[0] < 3.0
    assert axes.get_xlim()[0] < 63.3 - 5 < 63.3 + 5 < axes.get_xlim()[1]  # the interval reaches 0.05, that is 5 points


def test_two_runs_of_one_name_are_both_labelled():
    axes = accuracy_scatter([results("a", top1=top1, pca={"auc": 1.0}) for top1 in (0.2, 0.4)]).axes[1]
    assert [text.get_text() for text in _names(axes)] == ["a", "a"]


def test_runs_without_accuracy_are_refused():
    with pytest.raises(ValueError, match="top1 and an AUC of at least one model"):
        accuracy_scatter([results("a", pca={"auc": 1.0})])
