"""Rank agreement of models between ways of scoring them, by Kendall's tau."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray

from mkbench.metrics.functional import kendall_tau, kendall_tau_interval
from mkbench.runs.results import Estimate, explainer_label
from mkbench.studies.mutual_knowledge.pairs import ImageValues
from mkbench.tables import show_estimate

#: Fewest models of which an agreement is said.
FEWEST_MODELS = 3
_FEWEST_IMAGES = 2  # an interval over a single image is none


@dataclass(frozen=True)
class Agreement:
    """Whether two scores put the models of an explainer in the same order.

    Attributes:
        explainer: its name.
        score: what the AUC is compared with.
        models: number of models.
        images: number of images that all of them have.
        tau: Kendall's tau-b, with its 95 % interval over images.
    """

    explainer: str
    score: str
    models: int
    images: int
    tau: Estimate

    def sentence(self) -> str:
        """Say it in a line."""
        return (
            f"{explainer_label(self.explainer)}: AUC and {self.score} rank {self.models} models with Kendall's tau "
            f"{show_estimate(self.tau, 2)} (95 % interval over {self.images} images; 1: the same order)."
        )


def rank_agreements(explainer: str, models: Sequence[ImageValues]) -> list[Agreement]:
    """Compare the ranks of models by AUC with those by excess AUC, and by AUC over concepts where there is one.

    Args:
        explainer: its name.
        models: what it measured, of each model.

    Returns:
        Nothing for fewer than three models, or for those that share less than two images.

    Example:
        >>> ids = np.array(["toy/a", "toy/b"])
        >>> values = {auc: np.array([[auc, 1.0, 0.0]] * 2) for auc in (1.0, 2.0, 3.0)}
        >>> models = [ImageValues(ids, own, grouped=np.array([auc] * 2)) for auc, own in values.items()]
        >>> [(found.score, found.tau.value) for found in rank_agreements("pca", models)]
        [('AUC over concepts', 1.0)]
    """
    shared = reduce(np.intersect1d, [model.sample_ids for model in models]) if models else np.zeros(0)
    if len(models) < FEWEST_MODELS or len(shared) < _FEWEST_IMAGES:
        return []
    rows = [np.isin(model.sample_ids, shared) for model in models]
    auc, excess = (
        np.stack([model.values[own, column] for model, own in zip(models, rows, strict=True)], axis=1)
        for column in (0, 1)
    )
    scores = {"excess AUC": excess}
    grouped = [model.grouped[own] for model, own in zip(models, rows, strict=True) if model.grouped is not None]
    if len(grouped) == len(models):
        scores["AUC over concepts"] = np.stack(grouped, axis=1)
    found = {name: _tau(auc, values) for name, values in scores.items()}
    return [Agreement(explainer, name, len(models), len(shared), tau) for name, tau in found.items() if tau is not None]


def _tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> Estimate | None:
    """Tau of means over images, from (images, models); None where a score ties all models."""
    one, two = torch.from_numpy(first).double(), torch.from_numpy(second).double()
    value = float(kendall_tau(one.mean(dim=0), two.mean(dim=0)))
    return None if np.isnan(value) else Estimate(value, kendall_tau_interval(one, two))
