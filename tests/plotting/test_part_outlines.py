from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mkbench.plotting.part_outlines import Corner, part_outlines


def filled(polygons: list[list[Corner]], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The patches whose centres lie inside of an odd number of polygons, by OpenCV."""
    inside = np.zeros(shape, np.int64)
    for polygon in polygons:
        contour = np.array(polygon, np.float32)
        for row, column in np.ndindex(shape):
            inside[row, column] ^= cv2.pointPolygonTest(contour, (column + 0.5, row + 0.5), False) > 0
    return inside


def test_square_has_four_corners() -> None:
    labels = np.full((4, 4), -1)
    labels[1:3, 1:3] = 0
    assert {part: [set(one) for one in polygons] for part, polygons in part_outlines(labels).items()} == {
        0: [{(1, 1), (3, 1), (3, 3), (1, 3)}]
    }


def test_hole_has_an_outline_of_its_own() -> None:
    labels = np.zeros((3, 3), np.int64)
    labels[1, 1] = -1
    outer, inner = sorted(part_outlines(labels)[0], key=min)
    assert set(outer) == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert set(inner) == {(1, 1), (2, 1), (2, 2), (1, 2)}


def test_pieces_that_touch_at_a_corner_are_filled_alike() -> None:
    labels = np.array([[0, -1], [-1, 0]])
    assert (filled(part_outlines(labels)[0], (2, 2)) == (labels == 0)).all()


def test_no_part_has_no_outline() -> None:
    assert part_outlines(np.full((2, 3), -1)) == {}


@pytest.mark.parametrize("seed", range(5))
def test_filled_outlines_are_the_patches_of_each_part(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(-1, 3, (6, 7))
    outlines = part_outlines(labels)
    assert set(outlines) == set(labels[labels >= 0].tolist())
    for part, polygons in outlines.items():
        assert (filled(polygons, labels.shape) == (labels == part)).all()
