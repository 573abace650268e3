import pytest
from result_documents import overlapping, results, visible_texts

from mkbench.studies.mutual_knowledge.figure.curve import mi_curve_figure

CURVES = {"kmeans": [7.0, 3.0, 0.0], "pca": [7.5, 4.0, 2.0, 0.0]}
CHANCE = {"pca": [5.0, 2.0, 1.0, 0.0]}


def _run(curves, chance, estimator="paper"):
    document = results(estimator=estimator, pca={"auc": 3.375, "chance": 2.0}, kmeans={})
    return {**document, "curves": {"mutual_information": curves, "mutual_information_chance": chance}}


def test_curves_and_dashed_chance_curves_are_drawn():
    figure = mi_curve_figure(_run(CURVES, CHANCE))
    drawn = {line.get_label(): (line.get_linestyle(), line.get_ydata().tolist()) for line in figure.axes[1].lines}
    assert drawn == {
        "PCA: AUC 3.38": ("-", CURVES["pca"]),
        "K-means: AUC \u2013": ("-", CURVES["kmeans"]),
        "PCA at chance: AUC 2.00": ("--", CHANCE["pca"]),
    }
    solid, _, dashed = figure.axes[1].lines
    assert solid.get_color() == dashed.get_color()
    assert overlapping(visible_texts(figure)) == []


def test_more_explainers_than_colours_are_told_apart_by_their_markers():
    names = [f"explainer-{number}" for number in range(19)]
    figure = mi_curve_figure({**_run({name: [1.0, 0.0] for name in names}, {}), "metrics": []})
    styles = {(line.get_color(), line.get_marker()) for line in figure.axes[1].lines}
    assert len(styles) == len(names)


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_axis_names_the_estimator(estimator):
    label = mi_curve_figure(_run(CURVES, {}, estimator)).axes[1].get_ylabel()
    assert estimator in label
    assert "nats" in label


def test_legend_lies_outside_the_data():
    figure = mi_curve_figure(_run(CURVES, CHANCE))
    figure.draw_without_rendering()
    assert not figure.legends[0].get_window_extent().overlaps(figure.axes[1].get_window_extent())


def test_run_without_curve_is_refused():
    with pytest.raises(ValueError, match="must hold a curve of mutual information"):
        mi_curve_figure(results())
