from __future__ import annotations

import copy
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from tower_kinds import KINDS, clip, random_images

from mkbench.backbones import OpenClipBackbone
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.errors import BackboneError
from mkbench.heads import decompose, matched_random_heads, matched_random_sets, mean_ablate, prune_heads


def edited(backbone: OpenClipBackbone, heads: list[tuple[int, int]], images: Tensor) -> Tensor:
    """Embeddings of a second model whose weights are overwritten."""
    other = copy.deepcopy(backbone)
    for layer, head in heads:
        weights = find_tower(other).layers[layer].attention
        with torch.no_grad():
            weights.output.weight[:, head * weights.head_width : (head + 1) * weights.head_width] = 0
    return other.encode_image(images)


@pytest.mark.parametrize("name", KINDS)
def test_pruning_is_zeroing_the_output_columns(name: str) -> None:
    backbone = KINDS[name]().double()
    images = random_images(backbone, 2)
    layers = len(find_tower(backbone).layers)
    heads = [(0, 1), (layers - 1, 0)] if layers > 1 else [(0, 1)]
    before, fingerprint = backbone.encode_image(images), backbone.fingerprint
    with prune_heads(backbone, heads):
        pruned = backbone.encode_image(images)
    torch.testing.assert_close(pruned, edited(backbone, heads, images), rtol=1e-12, atol=1e-12)  # other kernels
    assert not torch.allclose(pruned, before)
    torch.testing.assert_close(backbone.encode_image(images), before, rtol=0, atol=0)
    assert backbone.fingerprint == fingerprint


def test_weights_are_the_same_objects_also_after_an_error() -> None:
    backbone = clip()
    images = random_images(backbone, 1).float()
    before = dict(backbone.named_parameters())
    copies = {name: parameter.clone() for name, parameter in before.items()}
    with pytest.raises(ValueError, match="Expected"), prune_heads(backbone, [(0, 0), (2, 1)]):
        backbone.encode_image(images[:, :1])
    after = dict(backbone.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is before[name] and torch.equal(after[name], copies[name]) for name in before)


def test_later_layers_see_the_absence() -> None:
    """The total effect: all that the first layer's head fed is gone, not only what it added to the embedding itself."""
    backbone = clip().double()
    images = random_images(backbone, 2)
    terms = decompose(backbone, images)
    with prune_heads(backbone, [(0, 1)]):
        pruned = decompose(backbone, images)
    assert float(pruned.heads[:, 0, 1].abs().max()) == 0.0
    torch.testing.assert_close(pruned.attention[:, 0], terms.attention[:, 0])  # computed before the head is pruned
    assert not torch.allclose(pruned.attention[:, 1], terms.attention[:, 1])
    torch.testing.assert_close(pruned.total(), pruned.embedding)
    direct = mean_ablate(terms, heads=[(0, 1)], means=terms.map(torch.zeros_like)).total()
    assert not torch.allclose(direct, pruned.embedding)


def test_sets_nest_and_an_empty_set_is_no_change() -> None:
    backbone = clip().double()
    images = random_images(backbone, 2)
    with prune_heads(backbone, []):
        torch.testing.assert_close(backbone.encode_image(images), clip().double().encode_image(images))
    with prune_heads(backbone, [(1, 0)]), prune_heads(backbone, [(1, 2)]):
        nested = backbone.encode_image(images)
    with prune_heads(backbone, [(1, 2), (1, 0), (1, 0)]):
        torch.testing.assert_close(nested, backbone.encode_image(images), rtol=0, atol=0)


@pytest.mark.parametrize("head", [(3, 0), (-1, 0), (0, 3), (0, -1)])
def test_heads_that_are_not_there(head: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="heads of the layers 0 to 2, 0 to 2, got"), prune_heads(clip(), [head]):
        pass


def test_towers_without_heads_are_refused() -> None:
    with pytest.raises(BackboneError, match="heads of toy cannot be told apart"):
        prune_heads(SimpleNamespace(name="toy"), [(0, 0)]).__enter__()  # type: ignore[arg-type]


@pytest.mark.parametrize("disjoint", [False, True])
def test_random_heads_match_in_size_and_layers(disjoint: bool) -> None:
    heads = [(2, 0), (7, 1), (2, 3)]
    draws = [matched_random_heads(heads, num_heads=6, seed=seed, disjoint=disjoint) for seed in range(60)]
    assert draws[5] == matched_random_heads(heads[::-1], num_heads=6, seed=5, disjoint=disjoint)
    for draw in draws:
        assert Counter(layer for layer, _ in draw) == {2: 2, 7: 1}
        assert draw == sorted(set(draw))
        assert not disjoint or not set(draw) & set(heads)
    drawn = {head for draw in draws for head in draw}
    every = {(layer, head) for layer in (2, 7) for head in range(6)}
    assert drawn == (every - set(heads) if disjoint else every)


def test_random_heads_that_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match=r"Expected 2 heads of layer 4 outside the set, found 1; .*disjoint=False"):
        matched_random_heads([(4, 0), (4, 1)], num_heads=3, seed=0, disjoint=True)
    assert len(matched_random_heads([(4, 0), (4, 1)], num_heads=3, seed=0)) == 2
    for heads in ([(4, 0), (4, 0)], [(4, 3)]):
        with pytest.raises(ValueError, match="Expected different heads of 0 to 2"):
            matched_random_heads(heads, num_heads=3, seed=0)


def test_several_random_sets_lie_outside_where_there_is_room() -> None:
    heads = [(2, 0), (7, 1), (2, 3)]
    outside = matched_random_sets(heads, num_heads=4, seeds=range(5))
    assert outside.disjoint
    assert not {head for drawn in outside.sets for head in drawn} & set(heads)
    crowded = matched_random_sets([(2, 0), (2, 1), (7, 1)], num_heads=3, seeds=(4, 2))  # no room in the layer 2
    assert not crowded.disjoint
    for drawn, seed in zip(crowded.sets, (4, 2), strict=True):
        assert list(drawn) == matched_random_heads([(2, 0), (2, 1), (7, 1)], num_heads=3, seed=seed)
