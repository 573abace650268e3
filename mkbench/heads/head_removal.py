"""Head removal: embeddings without the direct effect of some heads, and the accuracy of the worst group of images."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_values import Head
from mkbench.heads.store import ContributionStore
from mkbench.metrics.functional.bootstrap import bootstrap_means

#: Images whose embeddings are edited at once; bounds memory, changes no number.
_IMAGES_PER_CHUNK = 128


class GroupScores(NamedTuple):
    """Accuracies over images that fall into G groups, shares 0..1, float64; higher is better.

    Attributes:
        accuracy: (...), over all images.
        balanced: (...), mean over the groups that have images.
        worst: (...), of the group that fares worst.
        groups: (..., G), of each group; NaN for one without images.
    """

    accuracy: Tensor
    balanced: Tensor
    worst: Tensor
    groups: Tensor


def group_scores(correct: Tensor, groups: Tensor, *, num_groups: int) -> GroupScores:
    """Accuracy overall, in each group, on average over the groups, and in the worst one.

    Args:
        correct: (..., K) bool or 0/1, whether each image was classified rightly.
        groups: (K,) int64, the group of each image, 0 to ``num_groups`` - 1.
        num_groups: G.

    Raises:
        ValueError: without images, or for shapes or groups that do not fit.

    Source: Sagawa et al., ICLR 2020 (arXiv 1911.08731).

    >>> scores = group_scores(torch.tensor([True, True, True, False]), torch.tensor([0, 0, 0, 1]), num_groups=3)
    >>> scores.accuracy.item(), scores.balanced.item(), scores.worst.item(), scores.groups.tolist()
    (0.75, 0.5, 0.0, [1.0, 0.0, nan])
    """
    member = _members(groups, num_groups, images=correct.shape[-1])  # (K, G)
    return _sum_up(correct.double() @ member / member.sum(dim=0), member.sum(dim=0))


def resample_group_scores(
    correct: Tensor, groups: Tensor, *, num_groups: int, resamples: int = 1000, seed: int = 0
) -> GroupScores:
    """Group scores of bootstrap samples, drawn with replacement within each group, so that none is ever empty.

    All rows see the same samples: differences between rows are paired. The worst of several noisy groups is lower on
    average than the accuracy of the group that is truly worst, in a sample more so than in the images themselves; the
    difference of two rows suffers from it less.

    Args:
        correct: (..., K) as in ``group_scores``.
        groups: (K,) as there.
        num_groups: G.
        resamples: number of bootstrap samples R.
        seed: of the draws.

    Returns:
        Scores with R in front: (R, ...), and (R, ..., G).

    Raises:
        ValueError: as ``group_scores``, or for less than one sample.

    >>> scores = resample_group_scores(torch.tensor([True, True, False]), torch.tensor([0, 0, 1]), num_groups=2)
    >>> scores.worst.shape, scores.groups.mean(dim=0).tolist()
    (torch.Size([1000]), [1.0, 0.0])
    """
    if resamples < 1:
        raise ValueError(f"Expected at least one bootstrap sample, got {resamples}.")
    member = _members(groups, num_groups, images=correct.shape[-1])
    rows = correct.double().flatten(0, -2) if correct.ndim > 1 else correct.double()[None]  # (S, K)
    values = torch.full((resamples, len(rows), num_groups), torch.nan, dtype=torch.float64)
    for group in member.any(dim=0).nonzero().flatten().tolist():
        # Draws of its own for each group: groups of one size would otherwise be lucky together.
        own = rows[:, groups == group].T  # (n, S)
        values[:, :, group] = bootstrap_means(own, resamples=resamples, seed=seed * num_groups + group)
    return _sum_up(values.reshape(resamples, *correct.shape[:-1], num_groups), member.sum(dim=0))


def _members(groups: Tensor, num_groups: int, *, images: int) -> Tensor:
    """Return (K, G) float64, 1 where an image belongs to a group."""
    if groups.ndim != 1 or not len(groups) or len(groups) != images:
        raise ValueError(f"Expected the groups (K,) of {images} images, at least one, got {tuple(groups.shape)}.")
    if not 0 <= int(groups.min()) <= int(groups.max()) < num_groups:
        raise ValueError(f"Expected groups of 0 to {num_groups - 1}, got {int(groups.min())} to {int(groups.max())}.")
    return torch.nn.functional.one_hot(groups, num_groups).double()


def _sum_up(values: Tensor, sizes: Tensor) -> GroupScores:
    there = sizes > 0
    known = values[..., there]  # (..., groups with images)
    overall = known @ sizes[there].double() / sizes.sum()
    return GroupScores(overall, known.mean(dim=-1), known.amin(dim=-1), values)


def remove_heads(
    store: ContributionStore, sets: Sequence[Sequence[Head]], *, means: HeadContributions | None = None
) -> Iterator[Tensor]:
    """Take out of the embeddings of a run what some heads add to them directly, for many sets of heads at once.

    What later layers make of these heads stays: the direct effect alone (``prune_heads`` has the total one).

    Args:
        store: the contributions of K images; they are read once.
        sets: S sets of different heads; an empty one leaves the model's own embeddings.
        means: what takes the place of the heads, such as ``store.mean()``; nothing by default (zero-ablation).

    Yields:
        (S, B, d) float64, images in the order of ``store``; not normalised.

    Raises:
        ValueError: for heads that the store does not have, or one twice in a set.
        DataError: a file is damaged or gone.

    Source: the removal of heads of spurious cues in Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916).

    >>> import tempfile
    >>> from pathlib import Path
    >>> from mkbench.heads.store import StoredGroup
    >>> from mkbench.heads.stored_contributions import write_contributions
    >>> heads, none = torch.eye(2).view(1, 1, 2, 2), torch.zeros(1, 2)  # one image, one layer of two heads
    >>> terms = HeadContributions(heads, none[:, None], none, none, none, none + 1, torch.zeros(1, 1, 2, 0), (11,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_contributions(Path(folder), "00000-000", terms, ["a"], fingerprint="f")
    ...     store = ContributionStore(Path(folder), (11,), 2, 2, (StoredGroup(path, ("a",), 0),))
    ...     torch.cat(list(remove_heads(store, [[], [(11, 0)], [(11, 0), (11, 1)]])), dim=1).squeeze(1).tolist()
    [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    chosen = _masks(store, sets)
    middle = None if means is None else means.heads.double()
    for terms in store:
        pieces = zip(*(torch.split(one, _IMAGES_PER_CHUNK) for one in (terms.embedding, terms.heads)), strict=True)
        for embeddings, heads in pieces:
            away = heads.double() if middle is None else heads.double() - middle  # (B, L, H, d)
            yield embeddings.double() - torch.einsum("sg,bgd->sbd", chosen, away.flatten(1, 2))


def _masks(store: ContributionStore, sets: Sequence[Sequence[Head]]) -> Tensor:
    """Return (S, L H) float64, 1 for the heads of each set."""
    masks = torch.zeros(len(sets), len(store.layers), store.num_heads, dtype=torch.float64)
    for mask, heads in zip(masks, sets, strict=True):
        for layer, head in heads:
            if layer not in store.layers or not 0 <= head < store.num_heads:
                raise ValueError(
                    f"Expected heads of the layers {list(store.layers)}, 0 to {store.num_heads - 1}, got "
                    f"{(layer, head)}."
                )
            mask[store.layers.index(layer), head] += 1
    if bool((masks > 1).any()):
        raise ValueError("Expected every head once in a set, got one of them twice.")
    return masks.flatten(1)
