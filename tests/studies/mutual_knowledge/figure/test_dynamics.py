import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text
from result_documents import overlapping, results, visible_texts

from mkbench.studies.mutual_knowledge.figure.dynamics import dynamics_figure, has_curves


def _run(label, start, *, family="ViT", chance=0.5, explainers=("pca", "kmeans")):
    document = results(label, **{name: {"auc": start / 2} for name in explainers})
    document["model"]["family"] = family
    document["curves"] = {
        "mutual_information": {name: [start, start / 2, 0.0] for name in explainers},
        "mutual_information_chance": {name: [chance, 0.0] for name in explainers},
    }
    return document


def _legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _curves(axes):
    return [line for line in axes.lines if line.get_linewidth() > 1]


FOUR = [_run("low", 2.0), _run("high", 4.0), _run("middle", 3.0, family="ResNet"), _run("same", 3.0)]


def test_legend_follows_the_start_of_the_curves():
    left, right = dynamics_figure(FOUR).axes[1:]
    assert _legend(left) == ["high (2.00)", "middle (1.50)", "same (1.50)", "low (1.00)", "at chance"]
    assert [line.get_label() for line in _curves(left)] == _legend(left)[:-1]
    assert _curves(left)[0].get_ydata().tolist() == [4.0, 2.0, 0.0]
    assert _curves(left)[0].get_xdata().tolist() == [0, 1, 2]
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("PCA", "K-means")


def test_four_models_have_own_colours_and_chance_curves_of_the_same():
    axes = dynamics_figure(FOUR).axes[1]
    curves = {line.get_label().split()[0]: line for line in _curves(axes)}
    colours = {name: line.get_color() for name, line in curves.items()}
    assert len(set(colours.values())) == 4
    thin = [line.get_color() for line in axes.lines if line.get_linewidth() < 1]
    assert thin == [colours[name] for name in ("low", "high", "middle", "same")]
    styles = {name: line.get_linestyle() for name, line in curves.items()}
    assert styles["low"] == styles["high"] == styles["same"] == "-"
    assert styles["middle"] == "--"  # of another family


def test_thirteen_models_are_told_apart_and_chance_is_a_band():
    families = ["ViT"] * 7 + ["ResNet"] * 4 + ["ConvNeXt"] * 2
    runs = [_run(f"ViT-L/14@{i:03d}", 5 + i / 4, family=family, chance=1 + i / 10) for i, family in enumerate(families)]
    figure = dynamics_figure(runs)
    for axes in figure.axes[1:]:
        looks = [(line.get_color(), line._dash_pattern) for line in axes.lines]
        assert len(axes.lines) == len(set(map(str, looks))) == 13
        assert len({str(line._dash_pattern) for line in axes.lines}) == 3
        (band,) = [artist for artist in axes.collections if isinstance(artist, PolyCollection)]
        assert band.get_datalim(axes.transData).y1 == pytest.approx(2.2)
        assert _legend(axes)[-1] == "range at chance"
    texts = visible_texts(figure)
    assert overlapping(texts) == []
    for text in texts:
        box = Text.get_window_extent(text)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()


def test_looks_repeat_only_when_none_is_left():
    axes = dynamics_figure([_run(f"m{i}", 3.0) for i in range(22)]).axes[1]
    looks = [str((line.get_color(), line._dash_pattern)) for line in axes.lines]
    assert len(set(looks)) == 21
    assert looks[21] == looks[0]


def test_run_without_an_explainer_is_left_out_of_its_panel():
    figure = dynamics_figure([_run("a", 2.0), _run("b", 3.0, explainers=("pca",))])
    assert [len(_curves(axes)) for axes in figure.axes[1:]] == [2, 1]
    assert _legend(figure.axes[2]) == ["a (1.00)", "at chance"]


def test_long_names_take_several_lines():
    name = "an architecture with a name of its own, with weights of their own"
    figure = dynamics_figure([_run(name, 2.0), _run("b", 1.0)])
    assert "\n" in _legend(figure.axes[1])[0]
    assert _legend(figure.axes[1])[0].replace("\n", " ") == f"{name} (1.00)"
    for text in visible_texts(figure):
        assert Text.get_window_extent(text).x1 <= figure.bbox.x1


def test_three_explainers_take_two_rows():
    figure = dynamics_figure([_run("a", 2.0, explainers=("pca", "kmeans", "whole"))])
    tops = [axes.get_position().y1 for axes in figure.axes[1:]]
    assert tops[0] == tops[1] > tops[2]


def test_panels_share_their_scale():
    document = _run("a", 2.0)
    document["curves"]["mutual_information"]["kmeans"] = [6.0, 3.0, 0.0]
    left, right = dynamics_figure([document]).axes[1:]
    assert left.get_ylim() == right.get_ylim()
    assert right.get_ylim()[1] >= 6.0


def test_runs_without_curves_are_refused():
    assert not has_curves([results("a")])
    with pytest.raises(ValueError, match="curve of mutual information, found none"):
        dynamics_figure([results("a")])
