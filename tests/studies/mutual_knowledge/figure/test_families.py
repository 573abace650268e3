import numpy as np
import pytest
from matplotlib.text import Annotation, Text
from published_runs import TABLE, reproduction
from result_documents import overlapping, visible_texts
from scipy.stats import linregress

from mkbench.studies.mutual_knowledge.figure.families import family_scatter, has_family_line
from mkbench.studies.reproduction.published import PublishedLine, load_published

ROWS = load_published(TABLE).rows
LINE = PublishedLine("ViT", 11.24, 25.97)
FIVE = ("ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336", "ViT-B/16-dfn")


def _documents(*models, **changes):
    return [reproduction(model, **changes) for model in models or ROWS]


def _legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_lines_of_the_published_families():
    figure = family_scatter(_documents(), published=LINE)
    for axes, explainer in zip(figure.axes[1:], ("auc_pca", "auc_kmeans"), strict=True):
        legend = _legend(axes)
        groups = {"ViT": ("ViT", 7), "all": ("", 13)}
        for index, (name, (prefix, count)) in zip((0, 3), groups.items(), strict=True):
            rows = [row for model, row in ROWS.items() if model.startswith(prefix)]
            fit = linregress([row[explainer] for row in rows], [row["top1"] for row in rows])
            equation = f"accuracy = {fit.slope:.1f} \u00d7 AUC + {fit.intercept:.1f}"
            assert legend[index] == f"{name}: {equation}, r = {fit.rvalue:.2f} ({count} models)"
        assert legend[1:3] == ["ResNet: no line (4 models)", "ConvNeXt: no line (2 models)"]
        assert legend[4] == "published for ViT: accuracy = 11.24 \u00d7 AUC + 25.97"
        assert len([line for line in axes.lines if line.get_zorder() == 1]) == 3


def test_drawn_line_is_the_fitted_one():
    axes = family_scatter(_documents(*FIVE)).axes[1]
    (line,) = [line for line in axes.lines if line.get_zorder() == 1]
    rows = [ROWS[model] for model in FIVE]
    fit = linregress([row["auc_pca"] for row in rows], [row["top1"] for row in rows])
    np.testing.assert_allclose(line.get_ydata(), fit.slope * np.array(line.get_xdata()) + fit.intercept)
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == pytest.approx(
        (min(row["auc_pca"] for row in rows), max(row["auc_pca"] for row in rows))
    )
    assert len(_legend(axes)) == 1  # a line of all would be the same one


def test_titles_tell_what_the_lines_show():
    axes = family_scatter(_documents()).axes[1]
    assert " ".join(axes.get_title(loc="left").split()) == ("PCA: AUC rises with accuracy here (ViT: r = 0.90)")


def test_thirteen_models_are_labelled_without_overlap():
    figure = family_scatter(_documents(), published=LINE)
    texts = visible_texts(figure)
    assert overlapping(texts) == []
    for axes in figure.axes[1:]:
        names = [text for text in axes.texts if isinstance(text, Annotation)]
        assert sorted(text.get_text() for text in names) == sorted(ROWS)
        frame = axes.get_window_extent()
        for text in names:
            box = Text.get_window_extent(text)
            assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
    for text in texts:
        box = Text.get_window_extent(text)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()


def test_negative_intercept_has_a_typographic_minus():
    documents = _documents(*FIVE)
    for document, top1, auc in zip(documents, (0.0, 0.2, 0.4, 0.6, 0.8), (1.0, 2.0, 3.0, 4.0, 5.0), strict=True):
        for entry in document["metrics"]:
            entry["value"] = {"top1": top1, "mutual_information_auc": auc}.get(entry["name"], 0.0)
    assert _legend(family_scatter(documents).axes[1])[0] == (
        "ViT: accuracy = 20.0 \u00d7 AUC \u2212 20.0, r = 1.00 (5 models)"
    )


def test_random_weights_are_hollow_and_outside_the_lines():
    trained = _documents(*FIVE)
    random = reproduction("ViT-B/32-dcp", model__random_weights=True)
    axes = family_scatter([*trained, random]).axes[1]
    assert _legend(axes)[0] == _legend(family_scatter(trained).axes[1])[0]
    assert _legend(axes)[1] == "hollow: random weights, not part of a line"
    assert [line.get_markerfacecolor() for line in axes.lines if line.get_zorder() == 3].count("white") == 1


def test_unknown_families_are_called_other():
    documents = _documents(*FIVE, model__family=None) + _documents("ViT-B/16-dcp")
    legend = _legend(family_scatter(documents).axes[1])
    assert [label.split(":")[0] for label in legend] == ["ViT", "other", "all"]


def test_accuracy_stays_within_reach():
    documents = _documents("RN-50", "RN-101")
    for document in documents:
        document["metrics"][0].update(value=0.99, interval=[0.97, 1.0])
    assert family_scatter(documents).axes[1].get_ylim()[1] <= 101.5


def test_when_there_is_a_line():
    assert has_family_line(_documents(*FIVE))
    assert not has_family_line(_documents(*FIVE[:4], "RN-50"))
    assert not has_family_line(_documents(*FIVE[:4]) + _documents(FIVE[4], model__random_weights=True))


def test_runs_without_accuracy_are_refused():
    document = reproduction("RN-50", metrics=[])
    with pytest.raises(ValueError, match="top1 and an AUC of at least one model"):
        family_scatter([document])
