from contextlib import contextmanager

import pytest
import torch

from mkbench.concepts import find_foreground


def scene():
    """One image of 6 x 6 patches: a 2 x 3 object, a stray patch of the object's kind, background for the rest."""
    features = torch.tensor([1.0, 0.0, 0.0]).repeat(36, 1)
    for patch in (7, 8, 9, 13, 14, 15, 35):
        features[patch] = torch.tensor([0.0, 1.0, 0.0])
    image = torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    image[..., 4:12, 4:16] = 220
    return features[None], image


def test_ladder_of_refinements():
    features, image = scene()
    raw = find_foreground(features, (6, 6), image, refine="none")
    cleaned = find_foreground(features, (6, 6), image, refine="components")
    crf = find_foreground(features, (6, 6), image, refine="crf")
    assert raw.pixels.sum() == 7 * 16  # with the stray patch, of which the parts know nothing
    assert cleaned.pixels.sum() == 6 * 16
    assert torch.equal(crf.pixels, cleaned.pixels)  # the image's edges are the patches' edges
    for foreground in (raw, cleaned, crf):
        assert foreground.patches[0].nonzero().tolist() == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]
        assert foreground.fallbacks == {"crf_empty": 0}


def test_crf_without_a_trace_is_counted():
    features, image = scene()
    found = find_foreground(features, (6, 6), torch.full_like(image, 90))
    assert found.fallbacks == {"crf_empty": 1}
    assert found.pixels.sum() == 6 * 16


@pytest.mark.parametrize("method", ["spectral", "pca"])
@pytest.mark.parametrize("scope", ["class", "image"])
def test_scope_and_method_reach_the_saliency(scope, method):
    features, image = scene()
    shifted = features.roll(1, dims=1)
    both = torch.cat([features, shifted])
    found = find_foreground(both, (6, 6), image.repeat(2, 1, 1, 1), scope=scope, method=method, refine="none")
    assert found.patches.sum(dim=(1, 2)).tolist() == [6, 6]


def test_stages_are_announced():
    seen = []

    @contextmanager
    def stage(name):
        seen.append(name)
        yield

    features, image = scene()
    find_foreground(features, (6, 6), image, refine="none", stage=stage)
    assert seen == ["saliency", "refine"]


def test_grid_must_fit():
    features, image = scene()
    with pytest.raises(ValueError, match="the grid 5 x 6"):
        find_foreground(features, (5, 6), image)
