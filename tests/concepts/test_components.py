import numpy as np
import pytest
import torch
from scipy import ndimage

from mkbench.concepts import largest_components


def reference(mask, min_second):
    # scipy numbers components in raster order of their first pixel, and a stable sort keeps that order on ties.
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable") + 1
    kept = np.isin(labels, order[:1]) & mask
    if count > 1 and sizes[order[1] - 1] >= min_second:
        kept |= labels == order[1]
    return kept


@pytest.mark.parametrize("min_second", [1, 5, 9])
@pytest.mark.parametrize("density", [0.1, 0.3, 0.5, 0.9])
def test_random_masks_against_scipy(density, min_second):
    masks = np.random.default_rng(int(density * 10)).random((40, 9, 13)) < density
    expected = np.stack([reference(mask, min_second) for mask in masks])
    np.testing.assert_array_equal(largest_components(torch.from_numpy(masks), min_second).numpy(), expected)


def test_equal_sizes_keep_the_one_that_starts_first():
    mask = torch.zeros(1, 5, 9, dtype=torch.bool)
    mask[0, 1:3, 0:2] = True  # starts in row 1
    mask[0, 0:2, 4:6] = True  # starts in row 0: first
    mask[0, 3:5, 7:9] = True
    kept = largest_components(mask)
    assert kept.sum() == 4
    assert kept[0, 0, 4]
    assert largest_components(mask, min_second=4)[0, 1, 0]


def test_diagonal_neighbors_belong_together():
    assert largest_components(torch.eye(6, dtype=torch.bool)[None]).sum() == 6


def test_long_snake_is_followed_to_its_end():
    # A spiral of walls one cell thick: the longest way through an 11 x 11 grid takes 71 steps.
    snake = np.zeros((11, 11), dtype=bool)
    snake[::2] = True
    snake[1::4, -1] = True
    snake[3::4, 0] = True
    assert ndimage.label(snake, structure=np.ones((3, 3)))[1] == 1
    mask = torch.from_numpy(snake)[None]
    assert torch.equal(largest_components(mask), mask)


@pytest.mark.parametrize("fill", [False, True])
def test_empty_and_full_masks_stay(fill):
    mask = torch.full((2, 4, 5), fill)
    assert torch.equal(largest_components(mask), mask)


def test_twice_is_once():
    masks = torch.rand(20, 14, 14, generator=torch.Generator().manual_seed(0)) < 0.4
    once = largest_components(masks)
    assert torch.equal(largest_components(once), once)
    assert not (once & ~masks).any()


def test_no_images():
    assert largest_components(torch.zeros(0, 3, 3, dtype=torch.bool)).shape == (0, 3, 3)


@pytest.mark.parametrize("mask", [torch.zeros(3, 3, dtype=torch.bool), torch.zeros(1, 3, 3)])
def test_wrong_masks_are_refused(mask):
    with pytest.raises(ValueError, match=r"bool \(images, height, width\)"):
        largest_components(mask)
