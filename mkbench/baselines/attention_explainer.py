"""MM-CBM and MM-ProtoSim as explainers: concepts of the predicted class, and their attention over the patches."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.baselines.mm_cbm import MMCBM
from mkbench.baselines.mm_protosim import MMProtoSim
from mkbench.baselines.trained_explainer import FoundParts, TrainedExplainer
from mkbench.concepts.descriptors import LOGIT_SCALE, merge_descriptors
from mkbench.concepts.prompts import PROMPTS

A = TypeVar("A", bound=MMCBM)


def share_patches(attention: Tensor, least: float) -> Tensor:
    """Give every patch to the concept that attends to it most, if any attends to it enough.

    Args:
        attention: (B, L, N) attention of L concepts; 0 where a concept does not count.
        least: attention that a concept must exceed to claim a patch.

    Returns:
        (B, N) int64 concept of every patch, ties to the lowest; -1 where none claims it.

    >>> share_patches(torch.tensor([[[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]]]), 0.25).tolist()
    [[0, 1, 1]]
    """
    claims = torch.where(attention > least, attention, 0)
    return torch.where((claims > 0).any(dim=1), claims.argmax(dim=1), -1)


def attach_concepts(ids: Tensor, attention: Tensor, labels: Tensor, *, num_parts: int, topk: int) -> Tensor:
    """Name every part: first the concept whose patches it is, then the others that look at it most.

    A concept without a part of its own goes to the part that holds most of its attention, in the order of the
    concepts, while that part has fewer than k.

    Args:
        ids: (B, Q) int64 concepts, most important first; the first L of them may own a part of that number.
        attention: (B, Q, N) attention, 0 where a concept does not count.
        labels: (B, N) int64 parts, -1 on other patches.
        num_parts: L.
        topk: most concepts k of a part.

    Returns:
        (B, L, k) int64, -1 where there is none.

    >>> attention = torch.tensor([[[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.0, 0.0]]])
    >>> attach_concepts(torch.tensor([[8, 6, 7, 5]]), attention, torch.tensor([[0, 1]]), num_parts=2, topk=2).tolist()
    [[[8, -1], [6, 7]]]
    """
    parts = torch.arange(num_parts, device=ids.device)
    members = (labels[:, :, None] == parts).to(attention.dtype)  # (images, patches, parts)
    mass = attention @ members  # (images, concepts, parts)
    nearest, looks = mass.argmax(dim=2), mass.any(dim=2)
    place = torch.arange(ids.shape[1], device=ids.device)
    present = F.pad(members.any(dim=1), (0, max(0, ids.shape[1] - num_parts)))[:, : ids.shape[1]]
    owner = present & (place < num_parts)
    part = torch.where(owner, place, nearest)
    others = (part[..., None] == parts) & ~owner[..., None] & looks[..., None]  # (images, concepts, parts)
    rank = torch.where(owner, 0, (others.cumsum(dim=1) * others).sum(dim=2))
    kept = (owner | others.any(dim=2)) & (rank < topk)
    named = torch.full((len(ids), num_parts, topk), -1, device=ids.device)
    image = kept.nonzero()[:, 0]
    named[image, part[kept], rank[kept]] = ids[kept]
    return named


class AttentionExplainer(TrainedExplainer[A]):
    """Explains the class that the head predicts by the top entries of U * W[class] (see `MMCBM`).

    Only concepts that speak for the class (U * W > 0) and look at a patch count. The first L of them share the patches
    out, see `share_patches`; a concept that gets none has no part. The importance of a concept is U * W.
    """

    #: Attention, in shares of the mean over the patches, that a concept must exceed to claim a patch.
    threshold: float = 0.0

    def find_parts(self, features: Tensor) -> FoundParts:
        """Return the parts of images with (B, N, C) patch features."""
        seen = self.head.attend(features)
        predicted = self.head.classify(seen.activations).argmax(dim=1)
        contributions = (seen.activations * self.head.class_weights[predicted]).double()  # (images, bank)
        counts = seen.weights.any(dim=2) & (contributions > 0)
        order = contributions.masked_fill(~counts, 0).sort(dim=1, descending=True, stable=True)
        ids = order.indices[:, : self.max_concepts]
        looks = seen.weights.gather(1, ids[..., None].expand(-1, -1, features.shape[1]))
        looks = looks * (order.values[:, : self.max_concepts] > 0)[..., None]  # (images, concepts, patches)
        labels = share_patches(looks[:, : self.num_parts], self.threshold / features.shape[1])
        named = attach_concepts(ids, looks, labels, num_parts=self.num_parts, topk=self.topk)
        return FoundParts(labels, named, merge_descriptors(named, contributions / LOGIT_SCALE))


class MMCBMExplainer(AttentionExplainer[MMCBM]):
    """MM-CBM as an explainer: the concepts that speak for the predicted class, and the patches that they attend to.

    A concept claims the patches that get more than `threshold` times the mean of its attention, which is 1 / N: what
    a concept without any preference would give each. A patch that several claim goes to the largest attention. The
    textual side of a part is its concept, then up to k - 1 of the next concepts that look there.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D; the sharing out of patches is ours.

    Args:
        file: the trained head.
        num_parts: most parts L of an image; None: as many as the run says, 5 without a run.
        topk: most descriptors k of a part; None: as there, 3.
        threshold: see above, 0 or more.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: if a number is too small or a prompt is unknown.
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """

    def __init__(
        self,
        file: Path,
        *,
        num_parts: int | None = None,
        topk: int | None = None,
        threshold: float = 1.0,
        prompts: Sequence[str] = PROMPTS,
        chunk: int = 96,
    ) -> None:
        if threshold < 0:
            raise ValueError(f"threshold must be 0 or more, found {threshold}")
        super().__init__(file, MMCBM, num_parts=num_parts, topk=topk, prompts=prompts, chunk=chunk)
        self.threshold = threshold

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers."""
        return super().settings() | {"threshold": self.threshold}


class MMProtoSimExplainer(AttentionExplainer[MMProtoSim]):
    """MM-ProtoSim as an explainer: the concepts that speak for the predicted class, and the patches they were given.

    The head gives every patch to one concept, so a part is all patches of its concept, and has this descriptor alone.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D.

    Args:
        file: the trained head.
        num_parts: most parts L of an image; None: as many as the run says, 5 without a run.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: if a number is below 1 or a prompt is unknown.
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """

    def __init__(
        self, file: Path, *, num_parts: int | None = None, prompts: Sequence[str] = PROMPTS, chunk: int = 96
    ) -> None:
        super().__init__(file, MMProtoSim, num_parts=num_parts, topk=1, prompts=prompts, chunk=chunk)
