import cv2
import numpy as np
import pytest
import torch

from mkbench.concepts import fit_ellipse
from mkbench.concepts.ellipse import fit_ellipse_or_box


def ellipse_mask(cx, cy, *, a, b, degrees):
    y, x = np.mgrid[:120, :160]
    turn = np.deg2rad(degrees)
    along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    across = -(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


@pytest.mark.parametrize(
    ("cx", "cy", "a", "b", "degrees"), [(80, 60, 50, 20, 30), (70, 50, 40, 15, 120), (60, 64, 30, 12, 0)]
)
def test_recovers_a_filled_ellipse(cx, cy, a, b, degrees):
    ellipse = fit_ellipse(torch.from_numpy(ellipse_mask(cx, cy, a=a, b=b, degrees=degrees)))
    assert (ellipse.cx, ellipse.cy) == pytest.approx((cx, cy), abs=0.3)
    # The contour runs through the outermost pixels inside: on average half a pixel short at either end of an axis.
    assert sorted((ellipse.width, ellipse.height)) == pytest.approx([2 * b, 2 * a], abs=1.5)
    long_axis = ellipse.angle if ellipse.width > ellipse.height else ellipse.angle + 90
    assert (long_axis - degrees + 90) % 180 - 90 == pytest.approx(0, abs=2)


def test_square_gives_the_circle_of_its_boundary():
    # By symmetry a circle around the middle of the square, between the inscribed one (diameter 15, from pixel centre to
    # pixel centre) and the circumscribed one (21.2).
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:26, 8:24] = True
    ellipse = fit_ellipse(mask)
    assert (ellipse.cx, ellipse.cy) == pytest.approx((15.5, 17.5), abs=1e-3)
    assert ellipse.width == pytest.approx(ellipse.height, rel=1e-3)
    assert 15 < ellipse.width < 21.2


def test_only_the_largest_contour_counts_and_holes_do_not():
    mask = ellipse_mask(80, 60, a=50, b=20, degrees=30)
    alone = fit_ellipse(mask)
    mask[2:10, 2:10] = True
    mask[58:62, 78:82] = False
    assert fit_ellipse(mask) == alone


def test_all_points_of_the_contour_take_part():
    mask = ellipse_mask(50, 50, a=30, b=12, degrees=45)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    centre, axes, angle = cv2.fitEllipse(contours[0])
    assert fit_ellipse(mask) == pytest.approx((*centre, *axes, angle))


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        # one pixel; a 2 x 2 block, whose contour has four points; lines, whose points lie on no ellipse
        (slice(3, 4), slice(5, 6), (5.0, 3.0, 1.0, 1.0, 0.0)),
        (slice(3, 5), slice(5, 7), (5.5, 3.5, 2.0, 2.0, 0.0)),
        (slice(3, 4), slice(5, 11), (7.5, 3.0, 6.0, 1.0, 0.0)),
        (slice(2, 18), slice(5, 6), (5.0, 9.5, 1.0, 16.0, 0.0)),
        (slice(3, 5), slice(5, 15), (9.5, 3.5, 10.0, 2.0, 0.0)),
    ],
)
def test_points_without_an_ellipse_give_the_bounding_box(rows, columns, expected):
    mask = np.zeros((20, 20), dtype=bool)
    mask[rows, columns] = True
    ellipse, is_box = fit_ellipse_or_box(mask)
    assert is_box
    assert ellipse == expected


def test_among_lines_the_longest_counts():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2, 2:4] = mask[15, 3:12] = mask[18, 0] = True
    assert fit_ellipse(mask) == (7.0, 15.0, 9.0, 1.0, 0.0)


def test_fit_far_beyond_the_image_is_refused(monkeypatch):
    mask = ellipse_mask(50, 50, a=30, b=12, degrees=45)
    for broken in [((0, 0), (1e4, 5.0), 0.0), ((float("nan"), 0), (10.0, 5.0), 0.0), ((0, 0), (0.0, 5.0), 0.0)]:
        monkeypatch.setattr(cv2, "fitEllipse", lambda contour, broken=broken: broken)
        assert fit_ellipse_or_box(mask)[1]


def test_values_are_plain_floats():
    assert all(type(value) is float for value in fit_ellipse(ellipse_mask(50, 50, a=30, b=12, degrees=45)))


def test_empty_and_wrong_masks_are_refused():
    with pytest.raises(ValueError, match="at least one foreground pixel"):
        fit_ellipse(np.zeros((4, 4), dtype=bool))
    with pytest.raises(ValueError, match=r"bool \(height, width\)"):
        fit_ellipse(torch.zeros(4, 4))
    with pytest.raises(ValueError, match=r"bool \(height, width\)"):
        fit_ellipse(torch.zeros(1, 4, 4, dtype=torch.bool))
