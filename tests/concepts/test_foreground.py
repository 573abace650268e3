from contextlib import contextmanager

import pytest
import torch

from mkbench.concepts import find_foreground


def scene():
    """One image of 6 x 6 patches: a 2 x 3 object, a stray patch of the object's kind, background for the rest."""
    features = torch.tensor([1.0, 0.0, 0.0]).repeat(36, 1)
    for patch in (7, 8, 9, 13, 14, 15, 35):
        features[patch] = torch.tensor([0.0, 1.0, 0.0])
    picture = torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    picture[..., 4:12, 4:16] = 220
    return features[None], picture


def test_ladder_of_refinements():
    features, picture = scene()
    raw = find_foreground(features, (6, 6), picture, refine="none")
    cleaned = find_foreground(features, (6, 6), picture, refine="components")
    crf = find_foreground(features, (6, 6), picture, refine="crf")
    assert raw.pixels.sum() == 7 * 16  # with the stray patch, of which the parts know nothing
    assert cleaned.pixels.sum() == 6 * 16
    assert torch.equal(crf.pixels, cleaned.pixels)  # the picture's edges are the patches' edges
    for foreground in (raw, cleaned, crf):
        assert foreground.patches[0].nonzero().tolist() == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]
        assert foreground.fallbacks == {"crf_empty": 0}


def test_crf_without_a_trace_is_counted():
    features, picture = scene()
    found = find_foreground(features, (6, 6), torch.full_like(picture, 90))
    assert found.fallbacks == {"crf_empty": 1}
    assert found.pixels.sum() == 6 * 16


@pytest.mark.parametrize("method", ["spectral", "pca"])
@pytest.mark.parametrize("scope", ["class", "image"])
def test_scope_and_method_reach_the_saliency(scope, method):
    features, picture = scene()
    shifted = features.roll(1, dims=1)
    both = torch.cat([features, shifted])
    found = find_foreground(both, (6, 6), picture.repeat(2, 1, 1, 1), scope=scope, method=method, refine="none")
    assert found.patches.sum(dim=(1, 2)).tolist() == [6, 6]


def test_stages_are_announced():
    seen = []

    @contextmanager
    def stage(name):
        seen.append(name)
        yield

    features, picture = scene()
    find_foreground(features, (6, 6), picture, refine="none", stage=stage)
    assert seen == ["saliency", "refine"]


def test_grid_must_fit():
    features, picture = scene()
    with pytest.raises(ValueError, match="the grid 5 x 6"):
        find_foreground(features, (5, 6), picture)
