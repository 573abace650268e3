"""Feature Maps as an explainer: the strongest channels of an image, named by the trained labeller."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.baselines.feature_maps import FeatureMaps, masked_mean, strongest_maps
from mkbench.baselines.trained_explainer import FoundParts, TrainedExplainer
from mkbench.concepts.descriptors import LOGIT_SCALE, merge_descriptors
from mkbench.concepts.prompts import PROMPTS


class FeatureMapsExplainer(TrainedExplainer[FeatureMaps]):
    """Feature Maps as an explainer: parts are where the strongest channels of an image peak.

    The L channels with the largest norm are its visual concepts; each map is scaled to 0..1 and kept where it exceeds
    `threshold`. A patch that several maps keep goes to the largest value, ties to the stronger channel. A part's
    descriptors are the k likeliest of the labeller for the mean of its patch features; the importance of a descriptor
    is its probability, the largest over the parts that have it.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D.

    Args:
        file: the trained head.
        num_parts: most parts L of an image, the number of channels; None: as many as the run says, 5 without a run.
        topk: descriptors k of a part; None: as there, 3.
        threshold: 0 up to below 1, see above.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: if a number lies outside its range or a prompt is unknown.
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """

    def __init__(
        self,
        file: Path,
        *,
        num_parts: int | None = None,
        topk: int | None = None,
        threshold: float = 0.9,
        prompts: Sequence[str] = PROMPTS,
        chunk: int = 96,
    ) -> None:
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold must lie in 0 up to below 1, found {threshold}")
        super().__init__(file, FeatureMaps, num_parts=num_parts, topk=topk, prompts=prompts, chunk=chunk)
        self.threshold = threshold

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers."""
        return super().settings() | {"threshold": self.threshold}

    def find_parts(self, features: Tensor) -> FoundParts:
        """Return the parts of images with (B, N, C) patch features."""
        maps = strongest_maps(features, self.num_parts)  # (images, maps, patches)
        kept = torch.where(maps > self.threshold, maps, 0)
        labels = torch.where((kept > 0).any(dim=1), kept.argmax(dim=1), -1)
        members = labels[:, None] == torch.arange(self.num_parts, device=labels.device)[:, None]
        probability = self.head.label(masked_mean(features, members)).double().sigmoid()  # (images, parts, bank)
        likeliest = probability.sort(dim=2, descending=True, stable=True)
        ids, chances = likeliest.indices[..., : self.topk], likeliest.values[..., : self.topk]
        ids = torch.where(members.any(dim=2, keepdim=True), ids, -1)
        named = F.pad(ids, (0, self.topk - ids.shape[2]), value=-1)  # a bank smaller than k
        return FoundParts(labels, named, merge_descriptors(named, self._importance(ids, chances, probability.shape[2])))

    @staticmethod
    def _importance(ids: Tensor, chances: Tensor, bank: int) -> Tensor:
        """(B, D) the largest chance of every descriptor over the parts that have it, before LOGIT_SCALE."""
        importance = chances.new_zeros(len(ids), bank)
        chances = torch.where(ids >= 0, chances, 0)
        return importance.scatter_reduce(1, ids.clamp(min=0).flatten(1), chances.flatten(1), "amax") / LOGIT_SCALE
