import math

import numpy as np
import pytest
import torch

from mkbench.concepts.mining import descriptor_frequencies, hurt_classes, mined_descriptors, nearest_classes


def test_nearest_classes_on_a_circle():
    # At 0, 10, 30, 70 and 180 degrees, and of different lengths, which play no part: the nearest to 30 are 10 (20
    # degrees away) and 0 (30 degrees), to 70 they are 30 (40) and 10 (60), to 180 they are 70 (110) and 30 (150).
    angles = [math.radians(angle) for angle in (0, 10, 30, 70, 180)]
    classes = torch.tensor([[math.cos(a), math.sin(a)] for a in angles]) * torch.tensor(
        [[1.0], [9.0], [2.0], [0.1], [5.0]]
    )
    assert nearest_classes(classes).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1], [3, 2]]


def test_ties_go_to_the_lower_class_and_twins_are_neighbors():
    # Classes 0 and 2 are the same word; 1 and 3 are at right angles to everything.
    classes = torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert nearest_classes(classes).tolist() == [[2, 1], [0, 2], [0, 1], [0, 1]]


def test_ties_survive_rounding():
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2, 64))
    classes = torch.tensor(np.stack([two, *[one] * 9]))
    assert nearest_classes(classes).tolist()[0] == [1, 2]
    assert nearest_classes(classes).tolist()[9] == [1, 2]


@pytest.mark.parametrize(("classes", "width"), [(1, 0), (2, 1), (3, 2), (4, 2)])
def test_no_more_neighbors_than_there_are(classes, width):
    assert nearest_classes(torch.eye(4)[:classes]).shape == (classes, width)


@pytest.mark.parametrize(
    ("classes", "count", "message"),
    [
        (torch.zeros(3), 2, r"\(classes, dim\)"),
        (torch.eye(3), 0, "count must be at least 1, found 0"),
        (torch.full((2, 2), math.nan), 2, "class_embeddings must be finite"),
    ],
)
def test_neighbors_of_nothing_are_refused(classes, count, message):
    with pytest.raises(ValueError, match=message):
        nearest_classes(classes, count)


def test_frequencies_against_counting():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 30)
    labels[labels == 2] = 3  # a class without images
    found = [rng.permutation(9)[: rng.integers(0, 5)].tolist() for _ in labels]
    expected = np.zeros((4, 9))
    for label, ids in zip(labels, found, strict=True):
        for place in ids:
            expected[label, place] += 1 / (labels == label).sum()
    counts = torch.tensor([len(ids) for ids in found])
    flat = torch.tensor([place for ids in found for place in ids])
    frequencies = descriptor_frequencies(torch.tensor(labels), counts, flat, num_classes=4, bank_size=9)
    np.testing.assert_allclose(frequencies.numpy(), expected, atol=1e-12)


def test_frequencies_of_no_image():
    nothing = torch.zeros(0, dtype=torch.int64)
    assert not descriptor_frequencies(nothing, nothing, nothing, num_classes=2, bank_size=3).any()


@pytest.mark.parametrize(
    ("labels", "counts", "ids", "message"),
    [
        ([0], [2], [1], "2 in sum, and 1 ids"),
        ([0, 1], [1], [1], "1 counts"),
        ([2], [1], [1], r"class_index must lie in 0\.\.1, found 2\.\.2"),
        ([0], [1], [3], r"ids must lie in 0\.\.2, found 3\.\.3"),
    ],
)
def test_frequencies_that_do_not_fit_are_refused(labels, counts, ids, message):
    columns = (torch.tensor(values) for values in (labels, counts, ids))
    with pytest.raises(ValueError, match=message):
        descriptor_frequencies(*columns, num_classes=2, bank_size=3)


# Shares of three classes; the average over the neighbors of class 0 is 0.4, 0.3, 0.3, 0, 0.5.
SHARES = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0], [0.8, 0.0, 0.2, 0.0, 0.5], [0.0, 0.6, 0.4, 0.0, 0.5]])
NEIGHBORS = torch.tensor([[1, 2], [0, 2], [0, 1]])


def test_most_frequent_descriptors_of_the_neighbors_come_first():
    mined = mined_descriptors(SHARES.double(), NEIGHBORS, [(), (), ()], None)
    assert mined[0] == (4, 0, 1, 2)  # the tie goes to the lower id, and what no image shows is not mined


def test_own_descriptors_are_not_mined_and_do_not_count():
    mined = mined_descriptors(SHARES.double(), NEIGHBORS, [(4, 1), (), (0, 1, 2, 3, 4)], 2)
    assert mined == [(0, 2), (1, 4), ()]


def test_class_alone_has_nothing_to_mine():
    assert mined_descriptors(SHARES[:1], nearest_classes(torch.eye(1)), [()], None) == [()]


@pytest.mark.parametrize(
    ("own", "limit", "message"),
    [([()], 1, "of 3 classes, found 1 and 3"), ([(), (), ()], 0, "limit must be at least 1, found 0")],
)
def test_mining_that_does_not_fit_is_refused(own, limit, message):
    with pytest.raises(ValueError, match=message):
        mined_descriptors(SHARES, NEIGHBORS, own, limit)


def test_only_a_fall_hurts():
    # Class 0: 2 of 3 right before, 1 after. Class 1: 1 and 1, other images. Class 2: 0 and 1. Class 3: no image.
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    before = torch.tensor([True, True, False, True, False, False])
    after = torch.tensor([True, False, False, False, True, True])
    assert hurt_classes(labels, before, after, 4).tolist() == [True, False, False, False]


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="found 1, 1 and 2"):
        hurt_classes(torch.tensor([0]), torch.tensor([True]), torch.tensor([True, False]), 1)
