"""Outlines of the parts of a patch grid as closed polygons."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

#: A corner of a patch: column and row, (0, 0) at the top left of the grid.
Corner = tuple[int, int]


def part_outlines(labels: NDArray[np.int64]) -> dict[int, list[list[Corner]]]:
    """Trace the outlines of each part.

    Filled by the even-odd rule, the polygons of a part are its patches: pieces apart have one each, and so have holes.

    Args:
        labels: (h, w), -1 on the background.

    Returns:
        For each part that is present its polygons, each without its first corner at the end, and without corners in
        the middle of a straight line.

    >>> part_outlines(np.array([[2, 2, -1]]))
    {2: [[(2, 0), (2, 1), (0, 1), (0, 0)]]}
    """
    return {int(part): _trace(labels == part) for part in np.unique(labels[labels >= 0])}


def _trace(mask: NDArray[np.bool_]) -> list[list[Corner]]:
    following = _edges(mask)
    polygons = []
    while following:
        corner = start = next(iter(following))
        polygon: list[Corner] = []
        while not polygon or corner != start:
            end = following[corner].pop()
            if not following[corner]:
                del following[corner]
            polygon.append(end)
            corner = end
        polygons.append(_straighten(polygon))
    return polygons


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """The sides between the mask and what is outside of it, start -> ends, the mask at the right of each."""
    padded = np.pad(mask, 1)
    following: dict[Corner, list[Corner]] = defaultdict(list)
    for row, column in np.argwhere(mask).tolist():
        corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
        beyond = [(row, column + 1), (row + 1, column + 2), (row + 2, column + 1), (row + 1, column)]  # of `padded`
        for place, outside in enumerate(beyond):
            if not padded[outside]:
                following[corners[place]].append(corners[(place + 1) % 4])
    return following


def _straighten(polygon: list[Corner]) -> list[Corner]:
    """Leave out corners between two sides of one direction; sides run along the grid."""
    kept = []
    for place, corner in enumerate(polygon):
        before, after = polygon[place - 1], polygon[(place + 1) % len(polygon)]
        if not (before[0] == corner[0] == after[0] or before[1] == corner[1] == after[1]):
            kept.append(corner)
    return kept
