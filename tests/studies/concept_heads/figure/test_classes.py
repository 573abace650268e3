from __future__ import annotations

import numpy as np
import pytest
import torch
from concept_head_rows import class_concept_heads
from matplotlib.text import Text
from result_documents import overlapping, visible_texts

from mkbench.studies.concept_heads.figure.classes import class_figure

SCORES = np.random.default_rng(0).normal(size=(6, 24)).tolist()
LABELS = {(10, 0): "colour", (11, 11): "background and weather"}


def test_scores_are_shown_by_class_and_head() -> None:
    figure = class_figure(class_concept_heads(SCORES, heads=12, labels=LABELS))
    axes = figure.axes[1]
    assert np.array_equal(axes.images[0].get_array(), SCORES)
    limit = np.abs(SCORES).max()
    assert axes.images[0].get_clim() == (-limit, limit)
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert (names[0], names[1], names[23]) == ("0 colour", "1", "11 background and weather")
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"class {number}" for number in range(6)]
    dots = axes.lines[0]
    assert dots.get_xdata().tolist() == np.argmax(SCORES, axis=1).tolist()
    texts = visible_texts(figure)
    assert {"layer 10", "layer 11"} <= {text.get_text() for text in texts}
    assert overlapping(texts) == []
    for text in texts:
        box = Text.get_window_extent(text)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1, text.get_text()


def test_classes_with_the_highest_scores_are_drawn_in_their_order() -> None:
    scores = [[float(number % 45), 0.0] for number in range(50)]
    scores[44] = [torch.nan, torch.nan]
    axes = class_figure(class_concept_heads(scores)).axes[1]
    # Scores are the numbers of the classes, and 0 to 4 for the last five: class 4 is as good as class 49, and earlier.
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"class {number}" for number in range(4, 44)]
    (heading,) = [text.get_text() for text in axes.figure.axes[0].texts[:1]]
    assert heading.endswith("PCA (40 of 49 classes, those with the highest scores)")


def test_many_heads_have_no_names_and_long_classes_short_ones() -> None:
    name = "a class with a name that is much too long for the margin of a figure"
    found = class_concept_heads([[0.0] * 384], heads=16, classes=(name,))
    axes = class_figure(found).axes[1]
    assert [label.get_text() for label in axes.get_xticklabels()] == []
    (shown,) = [label.get_text() for label in axes.get_yticklabels()]
    assert shown.endswith("…")
    assert name.startswith(shown[:-1])
    assert axes.images[0].get_clim() == (-1.0, 1.0)  # nothing but zeros
    layers = [text.get_text() for text in axes.figure.axes[0].texts]
    assert {"10", "33"} <= set(layers)


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="a class with mutual concepts, found none"):
        class_figure(class_concept_heads([[torch.nan, torch.nan]]))
