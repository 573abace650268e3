from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from result_documents import overlapping, visible_texts

from mkbench.plotting.sample import SampleView, sample_figure
from mkbench.plotting.venn import MUTUAL, VISION

LONG = "large, sturdy body with four muscular legs and a tail that ends in a tuft"


def _sample(grid=(14, 14), size=224, suffix="", shared=3, parts=5):
    rng = np.random.default_rng(1)
    rows = np.arange(grid[0])[:, None] * parts // grid[0]
    labels = np.where(np.arange(grid[1])[None] < grid[1] - 1, rows, -1).astype(np.int64)
    texts = [f"concept {index} {suffix}".strip() for index in range(15)]
    return SampleView(
        image=rng.integers(0, 256, (3, size, size), dtype=np.uint8),
        saliency=rng.normal(size=grid),
        part_labels=labels,
        covered=(size, size),
        part_descriptors=[texts[3 * part : 3 * part + 3] for part in range(5)],
        concepts=[(text, 0.75 - 0.02 * index) for index, text in enumerate(texts)],
        language=texts[:shared] + [f"word {index} {suffix}".strip() for index in range(15 - shared)],
        class_name="hippopotamus",
        predicted_name="hippopotamus",
        heading="ViT-B/16, PCA parts",
    )


def _bars(figure):
    """The axes with the bars are the only ones with rectangles."""
    return next(axes for axes in figure.axes if axes.containers).containers[0].patches


@pytest.mark.parametrize(
    "sample",
    [
        _sample(),
        _sample((5, 5), 80),
        _sample((24, 24), 336, LONG, shared=0),
        _sample((7, 7), 224, "Donaudampfschifffahrtsgesellschaftskapitän" * 2, shared=15),
        replace(_sample(suffix="legs"), class_name=LONG, predicted_name=LONG + LONG),
        replace(_sample(), concepts=[], part_descriptors=[[]] * 5, part_labels=np.full((14, 14), -1)),
        replace(_sample(), part_descriptors=[["a $ sign and $x_1$"], [], [], [], ["100 % \\frac"]]),
    ],
    ids=["usual", "small", "long", "words", "names", "empty", "signs"],
)
def test_no_text_overlaps_another_or_leaves_the_page(sample):
    figure = sample_figure(sample)
    texts = visible_texts(figure)
    assert overlapping(texts) == []
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()
    images = [axes for axes in figure.axes if axes.images]
    free = [text for text in texts if text.axes not in images]
    assert len(images) == 3
    for image in images:
        area = image.get_window_extent()
        assert not [text.get_text() for text in free if text.get_window_extent().overlaps(area)]


def test_every_descriptor_and_concept_is_written():
    sample = _sample(suffix=LONG)
    written = " ".join(" ".join(text.get_text().split()) for text in visible_texts(sample_figure(sample)))
    for text in {text for part in sample.part_descriptors for text in part}:
        assert written.count(text) >= 2  # in the list of bars and in the Venn image
    assert all(text in written for text in sample.language)
    assert "class: hippopotamus" in written


def test_bars_show_importance_and_mutual_concepts():
    sample = _sample(shared=4)
    bars = _bars(sample_figure(sample))
    assert [bar.get_width() for bar in bars] == [value for _, value in sample.concepts]
    assert [bar.get_facecolor() for bar in bars] == [to_rgba(MUTUAL)] * 4 + [to_rgba(VISION)] * 11


def test_negative_importance_stays_inside_the_axes():
    figure = sample_figure(replace(_sample(), concepts=[("concept 0", 0.2), ("concept 1", -0.3)]))
    axes = next(axes for axes in figure.axes if axes.containers)
    assert axes.get_xlim()[0] <= -0.3
    assert overlapping(visible_texts(figure)) == []


@pytest.mark.parametrize(("predicted", "sign"), [("hippopotamus", "✓"), ("cow", "✗")])
def test_prediction_is_marked(predicted, sign):
    texts = [text.get_text() for text in visible_texts(sample_figure(replace(_sample(), predicted_name=predicted)))]
    assert f"{sign} predicted: {predicted}" in texts


def test_image_without_foreground_says_so():
    empty = replace(_sample(), concepts=[], part_descriptors=[[]] * 5, part_labels=np.full((14, 14), -1))
    texts = [text.get_text() for text in visible_texts(sample_figure(empty))]
    assert {"no parts", "no vision concepts", "none"} <= set(texts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((8, 8, 3), np.uint8)}, r"image must be uint8 \(3, S, S\), found \(8, 8, 3\)"),
        ({"image": np.zeros((3, 8, 8), np.float32)}, "found .* float32"),
        ({"saliency": np.zeros((3, 3))}, r"one patch grid \(h, w\), found \(3, 3\) and \(14, 14\)"),
        ({"part_descriptors": [["a"]]}, "one entry per part, found 1 entries and the part label 4"),
    ],
)
def test_parts_that_do_not_fit_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        sample_figure(replace(_sample(), **change))


def test_image_without_a_label_has_no_class_and_no_verdict():
    texts = [text.get_text() for text in visible_texts(sample_figure(replace(_sample(), class_name=None)))]
    assert "predicted: hippopotamus" in texts
    assert not [text for text in texts if text.startswith(("class:", "✓", "✗"))]
