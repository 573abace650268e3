"""Effect of pruning sets of attention heads on accuracy, beside that of matched random heads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.heads.head_pruning import RandomSets, matched_random_sets, prune_heads
from mkbench.heads.head_values import Head

#: Embeddings (n, d) of whatever length -> classes (n,) int64, on the CPU.
Classifier = Callable[[Tensor], Tensor]
#: Embeddings (n, d) of whatever length and the classes (n,) of their images -> values (n, ...), on the CPU.
Measure = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PruningEffect:
    """Correct predictions of K images with all heads of a model and without some; means are accuracies.

    Attributes:
        full: (K,) bool, with all heads.
        pruned: (K,) bool, without the heads of the set.
        random: (seeds, K) bool, without as many heads of the same layers.
        random_sets: the heads of each seed.
    """

    full: Tensor
    pruned: Tensor
    random: Tensor
    random_sets: RandomSets


def pruning_effects(
    backbone: Backbone,
    batches: Iterable[tuple[Tensor, Tensor]],
    classify: Classifier,
    sets: Sequence[Sequence[Head]],
    *,
    seeds: Sequence[int] = range(5),
) -> list[PruningEffect]:
    """Classify images with all heads of the running model, without those of each set, and without random ones.

    What is measured is the total effect: later layers see that the heads are gone. ``remove_heads`` has the direct
    one alone. The images are read once; each batch goes through the model for every set.

    Args:
        backbone: a model of open_clip whose image tower is a vision transformer.
        batches: images (B, 3, S, S) as for ``Backbone.encode_image``, and their classes (B,).
        classify: what tells classes from embeddings, such as the zero-shot classifier.
        sets: of different pairs of a layer and a head each.
        seeds: one random set each, see ``matched_random_sets``.

    Returns:
        One effect for each set, over the same images in their order.

    Raises:
        BackboneError: as ``prune_heads``.
        ValueError: without images or seeds, for heads that are not there, or one twice in a set.

    Source: Madasu et al., EMNLP 2025 (arXiv 2503.11103).

    >>> from mkbench import load_backbone
    >>> backbone = load_backbone("ViT-S-32-alt", random_weights=True)
    >>> batches = [(torch.zeros(2, 3, 224, 224, dtype=torch.uint8), torch.tensor([0, 1]))]
    >>> (effect,) = pruning_effects(backbone, batches, lambda rows: torch.zeros(len(rows)), [[(3, 0)]], seeds=[0])
    >>> effect.full.tolist(), effect.pruned.tolist(), effect.random.tolist(), effect.random_sets.disjoint
    ([True, False], [True, False], [[True, False]], True)
    """
    if not seeds:
        raise ValueError("Expected at least one seed, got none.")
    num_heads = find_tower(backbone).layers[0].attention.num_heads
    drawn = [matched_random_sets(heads, num_heads=num_heads, seeds=seeds) for heads in sets]
    pruned = [(), *(each for heads, random in zip(sets, drawn, strict=True) for each in (heads, *random.sets))]
    correct = measure_without(backbone, batches, lambda rows, classes: classify(rows).eq(classes), pruned)
    own = correct[1:].view(len(sets), 1 + len(seeds), -1)  # (sets, the set and its random ones, K)
    return [PruningEffect(correct[0], one[0], one[1:], random) for one, random in zip(own, drawn, strict=True)]


@torch.no_grad()
def measure_without(
    backbone: Backbone,
    batches: Iterable[tuple[Tensor, Tensor]],
    measure: Measure,
    sets: Sequence[Sequence[Head]],
) -> Tensor:
    """Measure the embeddings of images without the heads of each set, which are ablated in the running model.

    Args:
        backbone: a model of open_clip whose image tower is a vision transformer.
        batches: images (B, 3, S, S) as for ``Backbone.encode_image``, and their classes (B,).
        measure: of a batch.
        sets: S sets of different pairs of a layer and a head; an empty one leaves the model as it is.

    Returns:
        (S, K, ...) what was measured of K images without the heads of each set.

    Raises:
        BackboneError: as ``prune_heads``.
        ValueError: without images, or for heads that are not there.

    >>> from mkbench import load_backbone
    >>> backbone = load_backbone("ViT-S-32-alt", random_weights=True)
    >>> batches = [(torch.zeros(2, 3, 224, 224, dtype=torch.uint8), torch.tensor([0, 1]))]
    >>> measure_without(backbone, batches, lambda rows, classes: classes, [(), [(3, 0)]]).tolist()
    [[0, 1], [0, 1]]
    """
    values: list[Tensor] = []
    for images, classes in batches:
        rows = []
        for heads in sets:
            with prune_heads(backbone, heads):
                rows.append(measure(backbone.encode_image(images), classes.cpu()))  # (B, ...)
        values.append(torch.stack(rows))
    if not sum(rows.shape[1] for rows in values):
        raise ValueError("Expected at least one image, got none.")
    return torch.cat(values, dim=1)
