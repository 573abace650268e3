from itertools import combinations

import numpy as np
import pytest
from result_documents import overlapping

from mkbench.plotting.panels import boundary_segments, draw_parts, draw_saliency, number_places
from mkbench.plotting.style import Page


def test_boundary_segments_match_a_walk_over_the_grid():
    labels = np.random.default_rng(0).integers(-1, 3, (6, 9))
    expected = set()
    for row in range(7):
        for column in range(10):
            at = lambda y, x: labels[y, x] if 0 <= y < 6 and 0 <= x < 9 else -1  # noqa: E731
            if row < 6 and at(row, column) != at(row, column - 1):
                expected.add((column, row, column, row + 1))
            if column < 9 and at(row, column) != at(row - 1, column):
                expected.add((column, row, column + 1, row))
    found = boundary_segments(labels, (54, 54)) / [6, 9]  # 54 pixels: 6 for a column, 9 for a row
    assert {tuple(np.round(segment.ravel()).astype(int)) for segment in found} == expected
    assert len(found) == len(expected)


def test_number_stands_deepest_inside_its_part():
    labels = np.full((9, 9), -1)
    labels[1:8, 1:8] = 0  # a square of 7: its middle patch is (4, 4), whose centre is at 4.5 / 9
    assert number_places(labels) == {0: ((0.5, 0.5), (0.5, 0.5))}


@pytest.mark.parametrize("grid", [(5, 5), (7, 7), (14, 14), (24, 24)])
def test_numbers_of_crowded_parts_stay_apart(grid):
    labels = np.full(grid, -1)
    labels[1, 1:4], labels[2, 1:3] = [0, 1, 2], [3, 4]  # five parts of one patch, side by side
    places = [place for place, _ in number_places(labels).values()]
    assert len(places) == 5
    assert min(np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in combinations(places, 2)) >= 0.095
    page = Page(112, 112)
    axes = page.axes_at(0, 0, 112, 112)
    side = 8 * len(labels)
    draw_parts(axes, np.zeros((3, side, side), np.uint8), labels, covered=(side, side))
    page.figure.draw_without_rendering()
    assert overlapping(axes.texts) == []
    discs = [text.get_bbox_patch().get_window_extent().padded(-1) for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in combinations(discs, 2))


def test_no_parts_no_numbers():
    assert number_places(np.full((5, 5), -1)) == {}


def test_saliency_map_is_symmetric_around_zero_and_outlined():
    axes = Page(80, 80).axes_at(0, 0, 80, 80)
    labels = np.array([[0, 1], [-1, -1]])
    shown = draw_saliency(axes, np.array([[0.1, 0.2], [-0.5, 0.0]]), labels, size=8, covered=(8, 8))
    assert shown.get_clim() == (-0.5, 0.5)
    # The outline of one row of two patches has 2 + 2 + 1 + 1 sides; the border between the parts is not part of it.
    assert len(axes.collections[0].get_segments()) == 6


def test_flat_saliency_can_be_drawn():
    axes = Page(80, 80).axes_at(0, 0, 80, 80)
    assert draw_saliency(axes, np.zeros((3, 3)), np.full((3, 3), -1), size=8, covered=(6, 6)).get_clim() == (-1.0, 1.0)


def test_panels_cover_what_the_patches_do():
    labels = np.full((27, 27), 0)
    found = boundary_segments(labels, (378, 378))
    assert (found.min(), found.max()) == (0, 378)
    axes = Page(80, 80).axes_at(0, 0, 80, 80)
    assert tuple(draw_saliency(axes, np.eye(27), labels, size=384, covered=(378, 378)).get_extent()) == (0, 378, 378, 0)
    assert axes.get_xlim() == (0, 384)
    axes = Page(80, 80).axes_at(0, 0, 80, 80)
    draw_parts(axes, np.zeros((3, 384, 384), np.uint8), labels, covered=(378, 378))
    assert axes.texts[0].get_position() == (189, 189)
