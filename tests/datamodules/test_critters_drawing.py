import numpy as np
import pytest

from mkbench.datamodules.critters_drawing import (
    BACK,
    COATS,
    EARS,
    HORNS,
    LEGS,
    MUZZLE,
    PARTS,
    TAIL,
    WINGS,
    Canvas,
    band,
    draw_critter,
    ellipse,
    polygon,
    shade,
)

BACKGROUND = (1, 254, 3)  # no tone of any critter
ANIMAL = {
    "ears": "round",
    "muzzle": "snout",
    "colour": "blue",
    "pattern": "plain",
    "tail": "bushy",
    "legs": "long",
    "horns": "curved",
    "wings": "feathered",
    "back": "spiky",
}
SHAPES = {"ears": EARS, "muzzle": MUZZLE, "tail": TAIL, "legs": LEGS, "horns": HORNS, "wings": WINGS, "back": BACK}
PART_VALUES = [(part, value) for part, table in SHAPES.items() for value in table]


def blank(size, transform):
    image = np.empty((size, size, 3), np.uint8)
    image[:] = BACKGROUND
    return Canvas(image, np.zeros((size, size), np.uint8), np.asarray(transform, np.float64))


def draw(**changes):
    """Draw without scene, light, noise or resampling: what is left is the animal's own pixels."""
    canvas = blank(200, [[110, 0, 100], [0, 110, 110]])
    draw_critter(canvas, ANIMAL | changes, np.random.default_rng(0))
    return canvas


def shows(canvas, part):
    return canvas.labels == PARTS.index(part) + 1


def differing(one, other):
    return (one.image != other.image).any(axis=2)


def test_a_square_fills_its_pixels_and_labels():
    # Frame corners (1, 1) and (3, 2) at 2 pixels a unit, moved by (1, 0): columns 3 to 7, rows 2 to 4, edges included.
    canvas = blank(10, [[2, 0, 1], [0, 2, 0]])
    canvas.fill(polygon((1, 1), (3, 1), (3, 2), (1, 2)), (9, 8, 7), "ears")
    expected = np.zeros((10, 10), bool)
    expected[2:5, 3:8] = True
    assert np.array_equal(canvas.labels == PARTS.index("ears") + 1, expected)
    assert np.array_equal((canvas.image == (9, 8, 7)).all(axis=2), expected)
    assert np.array_equal(canvas.mask("ears"), np.where(expected, 255, 0))
    assert not canvas.mask("tail").any()


def test_markings_stay_within_and_keep_the_label():
    canvas = blank(10, [[1, 0, 0], [0, 1, 0]])
    canvas.fill(polygon((2, 2), (6, 2), (6, 6), (2, 6)), (9, 8, 7), "coat")
    labels = canvas.labels.copy()
    canvas.fill(polygon((4, 0), (9, 0), (9, 9), (4, 9)), (5, 5, 5), None, within=canvas.mask("coat"))
    marked = (canvas.image == (5, 5, 5)).all(axis=2)
    expected = np.zeros((10, 10), bool)
    expected[2:7, 4:7] = True
    assert np.array_equal(marked, expected)
    assert np.array_equal(canvas.labels, labels)


def test_ellipse_lies_on_its_curve():
    points = ellipse(1.0, -2.0, 3.0, 0.5, angle=30.0)
    x, y = points[:, 0] - 1.0, points[:, 1] + 2.0
    along = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6)
    across = -x * np.sin(np.pi / 6) + y * np.cos(np.pi / 6)
    np.testing.assert_allclose((along / 3.0) ** 2 + (across / 0.5) ** 2, 1.0)
    assert len(points) == 32


def test_band_narrows_along_its_path():
    points = band([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)], 0.4, 0.2)
    np.testing.assert_allclose(points, [(0, 0.4), (1, 0.3), (2, 0.2), (2, -0.2), (1, -0.3), (0, -0.4)])


def test_shade_stays_in_range():
    assert shade((10, 100, 250), 0.5) == (5, 50, 125)
    assert shade((10, 100, 250), 2.0) == (20, 200, 255)


def test_labels_are_exactly_the_painted_pixels():
    for value in ("plain", "striped", "spotted", "pale_belly"):
        canvas = draw(pattern=value)
        painted = (canvas.image != BACKGROUND).any(axis=2)
        assert np.array_equal(painted, canvas.labels > 0)


@pytest.mark.parametrize(("part", "value"), PART_VALUES)
def test_changing_a_part_changes_pixels_of_that_part_only(part, value):
    base, other = draw(), draw(**{part: value})
    allowed = shows(base, part) | shows(other, part)
    assert not (differing(base, other) & ~allowed).any()
    assert differing(base, other).any() == (value != ANIMAL[part])


@pytest.mark.parametrize(("part", "value"), PART_VALUES)
def test_parts_can_be_seen_unless_there_are_none(part, value):
    share = shows(draw(**{part: value}), part).mean()
    assert share == 0 if not SHAPES[part][value] else share > 0.0005


@pytest.mark.parametrize("pattern", ["striped", "spotted", "pale_belly"])
def test_patterns_mark_the_coat_only(pattern):
    plain, marked = draw(), draw(pattern=pattern)
    changed = differing(plain, marked)
    assert np.array_equal(plain.labels, marked.labels)
    assert not (changed & ~shows(plain, "coat")).any()
    assert 0.02 < changed.sum() / shows(plain, "coat").sum() < 0.6


@pytest.mark.parametrize("colour", sorted(set(COATS) - {"blue"}))
def test_colours_change_no_outline(colour):
    blue, other = draw(), draw(colour=colour)
    assert np.array_equal(blue.labels, other.labels)
    coat = shows(blue, "coat")
    eye = (blue.image == (255, 255, 255)).all(axis=2) | (blue.image == (10, 10, 15)).all(axis=2)
    assert differing(blue, other)[coat & ~eye].all()
    assert not (differing(blue, other) & ~(blue.labels > 0)).any()


def test_tables_name_the_parts():
    assert {*SHAPES, "coat"} == set(PARTS)
