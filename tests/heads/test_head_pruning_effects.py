from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from tower_kinds import clip, random_images

from mkbench.backbones import OpenClipBackbone
from mkbench.heads import matched_random_heads, prune_heads, pruning_effects

Heads = list[tuple[int, int]]


def nearest(embeddings: Tensor, texts: Tensor) -> Tensor:
    return (F.normalize(embeddings.double(), dim=1) @ F.normalize(texts.double(), dim=1).T).argmax(1)


def right(backbone: OpenClipBackbone, images: Tensor, classes: Tensor, texts: Tensor, pruned: Heads) -> Tensor:
    with prune_heads(backbone, pruned):
        return nearest(backbone.encode_image(images), texts) == classes


def test_each_image_is_classified_without_each_set() -> None:
    backbone = clip().double()
    images = random_images(backbone, 40)
    texts = backbone.encode_image(random_images(backbone, 6, seed=1))
    classes = nearest(backbone.encode_image(images), texts)
    classes[:7] = (classes[:7] + 1) % 6
    sets: list[Heads] = [[(0, 0), (0, 1), (1, 2)], [(2, 1)]]  # two of three heads of a layer leave too few others
    batches = zip(images.split(16), classes.split(16), strict=True)
    effects = pruning_effects(backbone, batches, lambda rows: nearest(rows, texts), sets)
    assert [effect.random_sets.disjoint for effect in effects] == [False, True]
    for effect, heads in zip(effects, sets, strict=True):
        assert effect.full.tolist() == [False] * 7 + [True] * 33
        # Batches of another size differ by rounding of doubles, which decides about no image.
        assert torch.equal(effect.pruned, right(backbone, images, classes, texts, heads))
        assert effect.random.shape == (5, 40)
        for row, drawn, seed in zip(effect.random, effect.random_sets.sets, range(5), strict=True):
            expected = matched_random_heads(heads, num_heads=3, seed=seed, disjoint=effect.random_sets.disjoint)
            assert list(drawn) == expected
            assert torch.equal(row, right(backbone, images, classes, texts, expected))
    assert int(effects[0].pruned.sum()) < 33


def test_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="at least one image, got none"):
        pruning_effects(clip(), [], lambda rows: rows, [[(0, 0)]])
    with pytest.raises(ValueError, match="at least one seed, got none"):
        pruning_effects(clip(), [], lambda rows: rows, [[(0, 0)]], seeds=())
    with pytest.raises(ValueError, match="Expected different heads of 0 to 2"):
        pruning_effects(clip(), [], lambda rows: rows, [[(0, 3)]])
