"""Rank agreement of models between ways of scoring them, by Kendall's tau."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.metrics.functional import kendall_tau, kendall_tau_interval
from mkbench.runs.results import Estimate, explainer_label
from mkbench.studies.mutual_knowledge.image_values import ImageValues
from mkbench.tables import show_estimate

#: Fewest models of which an agreement is said.
FEWEST_MODELS = 3
#: Fewest images of which an agreement is said: of fewer, the bootstrap knows hardly any other means.
FEWEST_IMAGES = 10
_CONCEPTS = "AUC over concepts"

_Values = NDArray[np.float64]
#: Reads one score of every image; None where a run has none.
_Score = Callable[[ImageValues], _Values | None]


@dataclass(frozen=True)
class Agreement:
    """Whether two scores put the models of an explainer in the same order.

    Attributes:
        explainer: its name.
        score: the one score.
        other: the other score.
        models: number of models.
        images: number of images that all of them have.
        tau: Kendall's tau-b, with its 95 % interval over images.
    """

    explainer: str
    score: str
    other: str
    models: int
    images: int
    tau: Estimate


def rank_agreements(explainer: str, models: Sequence[ImageValues]) -> list[Agreement]:
    """Compare the ranks of models by AUC with those by excess AUC, over concepts, and by the other estimators.

    Args:
        explainer: its name.
        models: what it measured, of each model.

    Returns:
        Nothing for fewer than three models, or for those that share fewer than ten images; scores that some model does
        not have are left out.

    Example:
        >>> ids = np.array([f"toy/{index}" for index in range(10)])
        >>> values = {auc: np.array([[auc, 1.0, 0.0]] * 10) for auc in (1.0, 2.0, 3.0)}
        >>> models = [ImageValues(ids, own, grouped=np.array([auc] * 10)) for auc, own in values.items()]
        >>> [(found.other, found.tau.value) for found in rank_agreements("pca", models)]
        [('AUC over concepts', 1.0)]
    """
    others: dict[str, _Score] = {"excess AUC": lambda model: model.values[:, 1], _CONCEPTS: _grouped}
    for name in dict.fromkeys(name for model in models for name in model.estimated):
        others[f"AUC by the estimator {name}"] = partial(_estimated, name)
    auc = _score_table(models, lambda model: model.values[:, 0])
    found = (_agreement(explainer, ("AUC", name), auc, _score_table(models, read)) for name, read in others.items())
    return [one for one in found if one is not None]


def grouping_agreements(explainer: str, groupings: Mapping[str, Mapping[str, ImageValues]]) -> list[Agreement]:
    """Compare the ranks of models by AUC over concepts between ways of grouping descriptors, such as thresholds.

    Args:
        explainer: its name.
        groupings: a grouping, as it is printed -> model -> what was measured with it.

    Returns:
        An agreement for every two groupings that three models or more have in common; as ``rank_agreements``.

    Example:
        >>> ids, none = np.array([f"toy/{index}" for index in range(10)]), np.zeros((10, 3))
        >>> runs = {str(auc): ImageValues(ids, none, grouped=np.array([auc] * 10)) for auc in (1.0, 2.0, 3.0)}
        >>> found, = grouping_agreements("pca", {"0.9": runs, "0.95": runs})
        >>> found.score, found.other, found.tau.value
        ('AUC over concepts (0.9)', 'AUC over concepts (0.95)', 1.0)
    """
    found = []
    for (one, first), (other, second) in combinations(groupings.items(), 2):
        both = [name for name in first if name in second]
        table = _score_table([of_model[name] for of_model in (first, second) for name in both], _grouped)
        if table is not None:
            halves = table[:, : len(both)], table[:, len(both) :]
            found.append(_agreement(explainer, (f"{_CONCEPTS} ({one})", f"{_CONCEPTS} ({other})"), *halves))
    return [one for one in found if one is not None]


def agreement_sentences(found: Sequence[Agreement]) -> list[str]:
    """Say agreements, in a line for all that compare the same score over the same models and images.

    >>> found = [Agreement("pca", "AUC", other, 4, 192, Estimate(1.0, (0.67, 1.0))) for other in ("one", "two")]
    >>> print(*agreement_sentences(found))
    PCA, ranks of 4 models by AUC beside other scores, Kendall's tau: one 1.00 [0.67, 1.00]; two 1.00 [0.67, 1.00] (...
    """
    lines = []
    for (explainer, score, models, images), alike in groupby(
        found, lambda one: (one.explainer, one.score, one.models, one.images)
    ):
        taus = "; ".join(f"{one.other} {show_estimate(one.tau, 2)}" for one in alike)
        lines.append(
            f"{explainer_label(explainer)}, ranks of {models} models by {score} beside other scores, Kendall's tau: "
            f"{taus} (95 % intervals over {images} images; 1: the same order)."
        )
    return lines


def _grouped(model: ImageValues) -> _Values | None:
    return model.grouped


def _estimated(name: str, model: ImageValues) -> _Values | None:
    return model.estimated.get(name)


def _score_table(models: Sequence[ImageValues], read: _Score) -> _Values | None:
    """One score of the images that all models have, (images, models); None where a model has no such score."""
    columns = [read(model) for model in models]
    if not models or any(column is None for column in columns):
        return None
    shared = reduce(np.intersect1d, [model.sample_ids for model in models])
    of_shared = [
        column[np.isin(model.sample_ids, shared)]
        for model, column in zip(models, columns, strict=True)
        if column is not None
    ]
    return np.stack(of_shared, axis=1)


def _agreement(
    explainer: str, names: tuple[str, str], first: _Values | None, second: _Values | None
) -> Agreement | None:
    """Agreement of two scores (images, models); None without one of them, or where nothing is to be said."""
    if first is None or second is None:
        return None
    tau = rank_agreement(torch.from_numpy(first), torch.from_numpy(second))
    return None if tau is None else Agreement(explainer, *names, first.shape[1], len(first), tau)


def rank_agreement(first: Tensor, second: Tensor) -> Estimate | None:
    """Return Kendall's tau of the means of two scores, with its 95 % interval over images.

    Args:
        first: (n, m) one score of n images, of m models (or explainers).
        second: (n, m) the other.

    Returns:
        In -1..1; None for fewer than three models or ten images, or where a score ties all models.

    >>> scores = torch.arange(3.0).expand(10, 3)
    >>> rank_agreement(scores, -scores)
    Estimate(value=-1.0, interval=(-1.0, -1.0))
    """
    if len(first) < FEWEST_IMAGES or first.shape[1] < FEWEST_MODELS:
        return None
    one, two = first.double(), second.double()
    value = float(kendall_tau(one.mean(dim=0), two.mean(dim=0)))
    return None if np.isnan(value) else Estimate(value, kendall_tau_interval(one, two))
