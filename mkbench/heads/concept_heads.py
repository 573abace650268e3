"""Concept heads: scores of attention heads by how much of a class's descriptors they add to its images."""

from dataclasses import dataclass

import torch
from torch import Tensor

#: Numbers held at once while heads are projected on texts; bounds memory, changes no result.
_ELEMENTS = 2**22


@dataclass(frozen=True)
class ConceptHeads:
    """Scores of every head as a concept head of C classes, float64; NaN for a class without descriptors.

    Attributes:
        scores: (C, L, H), how much more the head adds along the class's descriptors to its images than to the others;
            positive for a concept head of the class.
        strongest: (C, L, H) int64, the descriptor with the largest part in that; -1 for a class without descriptors.
        own: (C,), the score of the class's best head.
        others: (C,), what its best head would score with the descriptors of another class, averaged over other classes;
            NaN without any.
        beaten: (C,), the share of those other classes whose score is lower than ``own``; 0.5 for permuted classes.

    >>> concept_heads = ConceptHeads(torch.tensor([[[3.0, -1.0, 1.0]]]), torch.zeros(1, 1, 3), *torch.ones(3, 1))
    >>> concept_heads.shares().tolist(), concept_heads.ranks().tolist()
    ([[[0.75, 0.0, 0.25]]], [[[1, 3, 2]]])
    """

    scores: Tensor
    strongest: Tensor
    own: Tensor
    others: Tensor
    beaten: Tensor

    def shares(self) -> Tensor:
        """Return each head's share of the class's positive scores, (C, L, H); 0 for a negative one.

        They add up to 1, or to 0 where no score is positive.
        """
        positive = self.scores.clamp(min=0)
        total = positive.sum(dim=(1, 2), keepdim=True)
        return positive / torch.where(total == 0, 1, total)

    def ranks(self) -> Tensor:
        """Return the heads' ranks in each class, (C, L, H) int64: 1 is the highest score, ties go to the lower head."""
        order = self.scores.flatten(1).argsort(dim=1, descending=True, stable=True)
        return (order.argsort(dim=1) + 1).view(self.scores.shape)


def find_concept_heads(
    contributions: Tensor,
    descriptors: Tensor,
    weights: Tensor,
    *,
    centred: bool = True,
    num_others: int = 200,
    seed: int = 0,
) -> ConceptHeads:
    r"""Score every head by how much of a class's descriptors it adds to the images of that class.

    With u_c what a head adds to the images of class c on average, t_j the text embedding of descriptor j, and w_cj the
    weights of a class scaled to add up to 1::

        score(c, head) = sum_j  w_cj  < u_c - mean over classes of u,  t_j - mean over the bank of t >

    Both are centred because their means are large and say nothing of the class: a head adds much the same to every
    image, all texts lie in one narrow cone, and the product of the two would put the same heads first in every class.

    The control gives each class the descriptors of other classes in its place. Every set of descriptors is compared at
    the head that it projects on most, so that the choice of the best of many heads helps own and others alike.

    Source: ours; the direct effect of heads in the joint space is that of Gandelsman, Efros & Steinhardt, ICLR 2024,
    arXiv 2310.05916, mutual concepts are those of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        contributions: (C, L, H, d), what heads add to the images of each class, averaged over its images, which are
            scaled to embeddings of length 1; see ``unit_heads``.
        descriptors: (D, d) unit text embeddings of the bank.
        weights: (C, D), how often each descriptor is one of the class, 0 or more; zeros for a class without any.
        centred: subtract the means; otherwise the scores are raw dot products.
        num_others: most other classes in the control; those with descriptors are all taken if they are no more.
        seed: of the draw if they are.

    Returns:
        The concept heads, on the device of the contributions.

    Raises:
        ValueError: for shapes that do not fit, no class, negative or infinite weights, or no other class asked for.

    Example:
        Two classes and two heads. The first head writes the first axis for class 0 and the second axis for class 1;
        the second head writes the same for both.

        >>> contributions = torch.tensor([[[[1.0, 0.0], [5.0, 5.0]]], [[[0.0, 1.0], [5.0, 5.0]]]])
        >>> concept_heads = find_concept_heads(contributions, torch.eye(2), torch.eye(2))
        >>> concept_heads.scores.squeeze(1).tolist()
        [[0.5, 0.0], [0.5, 0.0]]
        >>> concept_heads.own.tolist(), concept_heads.others.tolist()
        ([0.5, 0.5], [0.0, 0.0])
    """
    _require_shapes(contributions, descriptors, weights)
    if num_others < 1:
        raise ValueError(f"num_others must be at least 1, found {num_others}")
    heads = contributions.double().flatten(1, 2)  # (classes, heads, dim)
    texts, shares = descriptors.to(heads), weights.to(heads)
    if centred:
        heads, texts = heads - heads.mean(dim=0), texts - texts.mean(dim=0)
    total = shares.sum(dim=1, keepdim=True)
    shares = shares / total  # NaN for a class without descriptors
    sums = shares @ texts  # (classes, dim), a class's descriptors in one
    scores = torch.einsum("chd,cd->ch", heads, sums)
    against = _against_others(heads, sums, total[:, 0] > 0, num_others, seed)
    shape = contributions.shape[:3]
    return ConceptHeads(scores.view(shape), _strongest(heads, texts, shares).view(shape), *against)


def _require_shapes(contributions: Tensor, descriptors: Tensor, weights: Tensor) -> None:
    if contributions.ndim != 4 or descriptors.ndim != 2 or contributions.shape[3] != descriptors.shape[1]:
        raise ValueError(
            f"expected contributions (classes, layers, heads, dim) and descriptors (bank, dim), found "
            f"{tuple(contributions.shape)} and {tuple(descriptors.shape)}"
        )
    if not contributions.numel() or weights.shape != (len(contributions), len(descriptors)):
        raise ValueError(
            f"expected weights (classes, bank) of at least one class, {len(contributions)} x {len(descriptors)}, found "
            f"{tuple(weights.shape)}"
        )
    if bool((weights < 0).any()) or not bool(weights.isfinite().all()):
        raise ValueError("weights must be finite and 0 or more, found others")


def _project(heads: Tensor, texts: Tensor, rows: Tensor) -> Tensor:
    """Project the heads of each class on texts of its own, some classes at a time.

    Args:
        heads: (C, G, d).
        texts: (T, d).
        rows: (C, J), which texts belong to the class.

    Returns:
        (C, G, J).
    """
    step = max(1, _ELEMENTS // (max(rows.shape[1], 1) * sum(heads.shape[1:])))
    return torch.cat(
        [
            torch.einsum("cgd,cjd->cgj", heads[start : start + step], texts[rows[start : start + step]])
            for start in range(0, len(heads), step)
        ]
    )


def _strongest(heads: Tensor, texts: Tensor, shares: Tensor) -> Tensor:
    """(C, G) int64, the descriptor with the largest term of each score; ties go to the lower one."""
    known = shares > 0  # NaN is not
    most = max(int(known.sum(dim=1).max()), 1)
    # A class has few descriptors of a large bank: only they are projected on.
    rows = known.byte().argsort(dim=1, descending=True, stable=True)[:, :most]  # (classes, most)
    terms = _project(heads, texts, rows) * shares.gather(1, rows)[:, None]
    terms = terms.masked_fill(~known.gather(1, rows)[:, None], -torch.inf)
    chosen = rows.gather(1, terms.argmax(dim=2))
    return torch.where(known.any(dim=1, keepdim=True), chosen, -1)


def _against_others(heads: Tensor, sums: Tensor, known: Tensor, num_others: int, seed: int) -> Tensor:
    """Return ``own``, ``others`` and ``beaten`` of ``ConceptHeads``, (3, C)."""
    against = heads.new_full((3, len(heads)), torch.nan)
    count = int(known.sum())
    if not count:
        return against
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).to(heads.device)
    classes = known.nonzero()[:, 0][shuffled]
    # Shifts of one random order: each class meets as many others, each set of descriptors is used as often.
    shifts = torch.arange(min(count - 1, num_others) + 1, device=heads.device)
    rows = classes[(torch.arange(count, device=heads.device)[:, None] + shifts) % count]  # (count, 1 + others)
    best = _project(heads[classes], sums, rows).amax(dim=1)
    own, others = best[:, :1], best[:, 1:]
    against[:, classes] = torch.stack([own[:, 0], others.mean(dim=1), (own > others).double().mean(dim=1)])
    return against
