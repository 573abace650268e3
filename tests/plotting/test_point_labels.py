import numpy as np

from mkbench.plotting.point_labels import place_labels

NOTHING = np.zeros((0, 4))


def test_labels_of_one_place_move_apart():
    places = place_labels([(50, 50)] * 3, ["ViT"] * 3, markers=NOTHING, lines=NOTHING, frame=(100, 100))
    assert len(set(places)) == 3


def test_label_at_the_edge_stays_inside():
    ((x, _),) = place_labels([(98, 50)], ["ViT-B/16"], markers=NOTHING, lines=NOTHING, frame=(100, 100))
    assert x + 20 < 98


def test_label_keeps_off_markers_but_may_cross_a_line():
    right = np.array([[54.0, 40.0, 100.0, 60.0]])  # covers the place that is tried first
    free = place_labels([(50, 50)], ["A"], markers=NOTHING, lines=NOTHING, frame=(100, 100))
    moved = place_labels([(50, 50)], ["A"], markers=right, lines=NOTHING, frame=(100, 100))
    assert free[0][0] == 54
    assert moved[0][0] < 50
    thin = np.array([[54.0, 50.0, 100.0, 50.2]])  # crossing it costs less than any move to a place farther away
    assert place_labels([(50, 50)], ["A"], markers=right, lines=thin, frame=(100, 100)) == moved
