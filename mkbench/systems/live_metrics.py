"""The metrics of mutual knowledge while a run goes on, over all devices."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from mkbench.metrics import ConceptEntropy, MutualInformation, MutualInformationAUC
from mkbench.scorers.explained_group import GroupResult


class LiveMetrics(torch.nn.Module):
    """Accuracy of the model, and mutual information and concept entropy of each explainer.

    Args:
        explainers: their names.
        max_concepts: most vision concepts that any of them gives an image.
        estimator: ``paper`` or ``shannon``.
        bank_size: descriptors D.
        classes: how many there are; None for images without labels, of which no accuracy is known.

    >>> metrics = LiveMetrics(["pca"], max_concepts=15, estimator="paper", bank_size=247, classes=32)
    >>> sorted(metrics.compute())[:2]
    ['concept_entropy/pca', 'mutual_information/pca']
    """

    def __init__(
        self, explainers: Sequence[str], *, max_concepts: int, estimator: str, bank_size: int, classes: int | None
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"max_concepts": max_concepts, "estimator": estimator, "bank_size": bank_size}
        self.classes = classes
        self.accuracies = MetricCollection({} if classes is None else _accuracies(classes), compute_groups=False)
        self.explainers = torch.nn.ModuleDict({name: _concepts(options) for name in explainers})

    def update(self, result: GroupResult) -> None:
        """Take in a class group."""
        if result.group.class_index is not None and self.classes is not None:
            self._update_accuracies(result.ranking, result.group.class_index, self.classes)
        for name, explained in result.explained.items():
            metrics: Any = self.explainers[name]
            counts = explained.explanation.vision.counts
            for stem in ("mutual_information", "mutual_information_auc"):
                metrics[stem].update_curves(explained.curves, counts)
            metrics["concept_entropy"].update(explained.explanation.descriptor_ids.flatten(1))

    def _update_accuracies(self, ranking: Tensor, class_index: int, classes: int) -> None:
        target = torch.full((len(ranking),), class_index, device=ranking.device)
        scores = torch.zeros(len(target), classes, device=ranking.device)
        order = torch.arange(ranking.shape[1], 0, -1, dtype=scores.dtype, device=ranking.device)
        scores.scatter_(1, ranking, order.expand_as(ranking))
        self.accuracies.update(scores, target)

    def compute(self) -> dict[str, float]:
        """Return each metric over all devices; those of an explainer are called ``metric/explainer``."""
        with warnings.catch_warnings():
            # A device that met unreadable images alone takes part all the same.
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method")
            values = {name: float(value) for name, value in self.accuracies.compute().items()}
            for explainer, collection in self.explainers.items():
                computed: dict[str, Tensor] = collection.compute()  # type: ignore[operator]
                values |= {f"{name}/{explainer}": float(value) for name, value in computed.items()}
        return values


def _accuracies(classes: int) -> dict[str, Metric | MetricCollection]:
    return {f"top{k}": MulticlassAccuracy(classes, top_k=min(k, classes), average="micro") for k in (1, 5)}


def _concepts(options: dict[str, Any]) -> MetricCollection:
    return MetricCollection(
        {
            "mutual_information": MutualInformation(**options),
            "mutual_information_auc": MutualInformationAUC(**options),
            "concept_entropy": ConceptEntropy(),
        },
        compute_groups=False,
    )
