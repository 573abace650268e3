"""Soft pruning of attention heads in the running model (the total effect), and matched random heads as its control."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch.nn import Module, Parameter

from mkbench.backbones import Backbone
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.backbones.towers.residual_tower import ResidualTower
from mkbench.heads.head_values import Head


@contextmanager
def prune_heads(backbone: Backbone, heads: Iterable[Head]) -> Iterator[None]:
    """Prune heads of the image tower while the context is open: all tokens lose what the heads add, biases stay.

    The output weights of a layer make way for a copy whose columns of the heads are zero. The model's own weights are
    never written, and are back at the end, whatever happens inside.

    Args:
        backbone: a model of open_clip whose image tower is a vision transformer.
        heads: pairs of a layer and a head, counted from 0.

    Raises:
        BackboneError: naming the model and the reason, if its embedding is no sum over attention heads.
        ValueError: for a head that is not there.

    Source: Madasu et al., EMNLP 2025 (arXiv 2503.11103).

    >>> from mkbench import load_backbone
    >>> backbone = load_backbone("ViT-S-32-alt", random_weights=True)
    >>> images = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    >>> before = backbone.encode_image(images)
    >>> with prune_heads(backbone, [(0, 1), (3, 5)]):
    ...     pruned = backbone.encode_image(images)
    >>> torch.equal(before, pruned), torch.equal(before, backbone.encode_image(images))
    (False, True)
    """
    tower = find_tower(backbone)
    chosen: dict[int, set[int]] = {}
    for layer, head in heads:
        if not 0 <= layer < len(tower.layers) or not 0 <= head < tower.layers[layer].attention.num_heads:
            raise ValueError(
                f"Expected heads of the layers 0 to {len(tower.layers) - 1}, 0 to "
                f"{tower.layers[0].attention.num_heads - 1}, got {(layer, head)}."
            )
        chosen.setdefault(layer, set()).add(head)
    with ExitStack() as stack:
        for layer, pruned in sorted(chosen.items()):
            stack.enter_context(_pruned(backbone, tower, layer, pruned))
        yield


@contextmanager
def _pruned(backbone: Backbone, tower: ResidualTower, layer: int, heads: set[int]) -> Iterator[None]:
    attention = tower.layers[layer].attention
    weight = attention.output.weight  # (D, H k)
    # By identity, for every library has names of its own; PyTorch's attention never calls its output layer, so that a
    # hook on it would see nothing.
    owner: Module = next(
        module for module in backbone.modules() if getattr(module, "_parameters", {}).get("weight") is weight
    )
    without = weight.detach().clone()
    columns = without.view(len(without), attention.num_heads, attention.head_width)
    columns[:, sorted(heads)] = 0
    original = owner._parameters["weight"]
    owner._parameters["weight"] = Parameter(without, requires_grad=False)
    try:
        yield
    finally:
        owner._parameters["weight"] = original


def matched_random_heads(heads: Sequence[Head], *, num_heads: int, seed: int, disjoint: bool = False) -> list[Head]:
    """Draw as many heads of the same layers: the control of a pruned set.

    Args:
        heads: different pairs of a layer and a head.
        num_heads: heads H of a layer.
        seed: of the draw.
        disjoint: draw among the heads that are not in the set; by default among all of a layer.

    Returns:
        Sorted pairs, in every layer as many as there are in the set.

    Raises:
        ValueError: for a head given twice or beyond the layer, or a layer with too few other heads.

    >>> matched_random_heads([(2, 0), (2, 1), (5, 3)], num_heads=4, seed=0, disjoint=True)
    [(2, 2), (2, 3), (5, 0)]
    """
    taken = set(heads)
    if len(taken) < len(heads) or any(not 0 <= head < num_heads for _, head in heads):
        raise ValueError(f"Expected different heads of 0 to {num_heads - 1} in their layers, got {list(heads)}.")
    generator = torch.Generator().manual_seed(seed)
    drawn: list[Head] = []
    for layer, count in sorted(Counter(layer for layer, _ in heads).items()):
        free = [head for head in range(num_heads) if not disjoint or (layer, head) not in taken]
        if len(free) < count:
            raise ValueError(
                f"Expected {count} heads of layer {layer} outside the set, found {len(free)}; draw among all heads "
                "with disjoint=False."
            )
        picks = torch.randperm(len(free), generator=generator)[:count].tolist()
        drawn += [(layer, head) for head in sorted(free[pick] for pick in picks)]
    return drawn


class RandomSets(NamedTuple):
    """Random sets of heads that match another set in size and layers.

    Attributes:
        sets: one for each seed, sorted.
        disjoint: whether they lie outside the other set.
    """

    sets: tuple[tuple[Head, ...], ...]
    disjoint: bool


def matched_random_sets(heads: Sequence[Head], *, num_heads: int, seeds: Iterable[int]) -> RandomSets:
    """Draw several random sets of heads of the same layers, outside the given one if every layer has room for that.

    Args:
        heads: different pairs of a layer and a head.
        num_heads: heads H of a layer.
        seeds: one set each.

    Raises:
        ValueError: as ``matched_random_heads``.

    >>> matched_random_sets([(2, 0)], num_heads=2, seeds=range(2))
    RandomSets(sets=(((2, 1),), ((2, 1),)), disjoint=True)
    >>> matched_random_sets([(2, 0), (2, 1)], num_heads=3, seeds=range(2)).disjoint
    False
    """
    disjoint = all(2 * count <= num_heads for count in Counter(layer for layer, _ in heads).values())
    drawn = (matched_random_heads(heads, num_heads=num_heads, seed=seed, disjoint=disjoint) for seed in seeds)
    return RandomSets(tuple(map(tuple, drawn)), disjoint)
