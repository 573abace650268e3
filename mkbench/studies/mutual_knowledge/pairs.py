"""Paired differences of models over the images that both explained, with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.metrics.functional import bootstrap_intervals, cluster_bootstrap_interval, holm_adjusted, paired_p_value
from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.image_values import ImageValues

#: Keys of what is compared, with their headings: AUC and excess AUC in nats, accuracy in points (percent).
QUANTITIES = {"auc": "AUC", "excess": "excess AUC", "top1": "top-1 points"}
#: Adjusted p-values below this tell two models apart.
LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Paired differences of two models over the images that both have.

    Attributes:
        explainer: the explainer that both were measured with.
        first: label of the model that ranks higher.
        second: label of the other.
        neighbors: whether no model ranks between them.
        images: number of images that both have, at least one.
        differences: key of ``QUANTITIES`` -> first less second with its 95 % interval over images, None where a model
            has no value.
        p_values: key -> p of the paired t test, adjusted for all pairs of the explainer (Holm).
        class_intervals: key -> 95 % interval over classes, for images of classes that were not measured.
    """

    explainer: str
    first: str
    second: str
    neighbors: bool
    images: int
    differences: Mapping[str, Estimate | None]
    p_values: Mapping[str, float] = field(default_factory=dict)
    class_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def apart(self, key: str) -> bool | None:
        """Whether 0 is outside the interval of a difference and its adjusted p is below 0.05; None without one.

        >>> pair = Pair("pca", "a", "b", True, 9, {"auc": Estimate(0.1, (-0.1, 0.2)), "excess": None})
        >>> pair.apart("auc"), pair.apart("excess")
        (False, None)
        """
        difference = self.differences[key]
        if difference is None or difference.interval is None:
            return None
        low, high = difference.interval
        return not low <= 0 <= high and not self.p_values.get(key, 0.0) >= LEVEL


def compare_pairs(explainer: str, models: Sequence[tuple[str, ImageValues]]) -> list[Pair]:
    """Compare every pair of models over the images that both have.

    AUC and excess AUC are of curves that are padded to the longest of both models; each padded to its own, a single
    long curve would lower the AUC of its model.

    Each interval is that of ``paired_bootstrap_difference``: the same resampled images for both models, 95 %, a fixed
    seed. An interval holds for its pair alone; the p-values are adjusted for all pairs of the explainer. Intervals over
    classes draw whole classes, of ``cluster_bootstrap_interval``.

    Args:
        explainer: the explainer that measured the values.
        models: label and values of each model, the first-ranked first.

    Returns:
        A pair for every two models that share an image, in the order of the ranks.

    Example:
        >>> ids = np.array(["toy/a", "toy/b"])
        >>> values = np.array([[2.0, 1.0, 100.0], [4.0, 1.0, np.nan]])
        >>> pair, = compare_pairs("pca", [("x", ImageValues(ids, values)), ("y", ImageValues(ids, values - 1))])
        >>> pair.images, pair.differences["auc"], pair.differences["top1"]
        (2, Estimate(value=1.0, interval=(1.0, 1.0)), None)
    """
    every = np.unique(np.concatenate([[""], *(values.sample_ids for _, values in models)]))
    codes = [np.searchsorted(every, values.sample_ids) for _, values in models]  # numbers are faster to join than names
    # Pairs over the same images are resampled together, and resampling is most of the work.
    batches: dict[bytes, tuple[NDArray[np.int64], list[tuple[int, int]]]] = {}
    for first, second in combinations(range(len(models)), 2):
        shared = np.intersect1d(codes[first], codes[second], assume_unique=True)
        if len(shared):
            batches.setdefault(shared.tobytes(), (shared, []))[1].append((first, second))
    pairs: dict[tuple[int, int], Pair] = {}
    for shared, members in batches.values():
        places = [np.isin(own, shared) for own in codes]
        of_members = [
            _subtract(models[first][1], places[first], models[second][1], places[second]) for first, second in members
        ]
        estimates = _differences(np.stack(of_members, axis=1))
        for (first, second), gained, differences in zip(members, of_members, estimates, strict=True):
            labels = models[first][1].classes
            classes = None if labels is None else labels[places[first]]
            of_pair = torch.from_numpy(gained)
            pairs[first, second] = Pair(
                explainer,
                models[first][0],
                models[second][0],
                second == first + 1,
                len(shared),
                differences,
                _p_values(of_pair, differences),
                {} if classes is None else _class_intervals(of_pair, torch.from_numpy(classes), differences),
            )
    return _adjust([pairs[ranks] for ranks in sorted(pairs)])


def _subtract(
    first: ImageValues, of_first: NDArray[np.bool_], second: ImageValues, of_second: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(images, quantities): first minus second, on the scale of the longest curve of both."""
    longest = max(first.longest, second.longest)
    difference: NDArray[np.float64] = first.padded_to(longest)[of_first] - second.padded_to(longest)[of_second]
    return difference


def _p_values(values: Tensor, differences: Mapping[str, Estimate | None]) -> dict[str, float]:
    """P of each difference, from (images, quantities)."""
    zero = torch.zeros(len(values), dtype=values.dtype)
    columns = zip(QUANTITIES, values.T, strict=True)
    return {key: nan if differences[key] is None else paired_p_value(column, zero) for key, column in columns}


def _class_intervals(
    values: Tensor, classes: Tensor, differences: Mapping[str, Estimate | None]
) -> dict[str, tuple[float, float]]:
    columns = zip(QUANTITIES, values.T, strict=True)
    return {key: cluster_bootstrap_interval(column, classes) for key, column in columns if differences[key] is not None}


def _adjust(pairs: Sequence[Pair]) -> list[Pair]:
    """Adjust the p-values of all pairs, quantity by quantity."""
    columns = {key: holm_adjusted([pair.p_values[key] for pair in pairs]) for key in QUANTITIES}
    return [
        replace(pair, p_values={key: column[place] for key, column in columns.items()})
        for place, pair in enumerate(pairs)
    ]


def _differences(values: NDArray[np.float64]) -> list[dict[str, Estimate | None]]:
    """Means over images of differences (images, pairs, quantities), with their intervals."""
    columns = torch.from_numpy(values).flatten(1)  # (images, pairs * quantities)
    known = ~columns.isnan().any(dim=0)
    means, intervals = columns.mean(dim=0).tolist(), torch.full((columns.shape[1], 2), torch.nan, dtype=torch.float64)
    if known.any():
        intervals[known] = bootstrap_intervals(columns[:, known])
    estimates = [
        Estimate(mean, (low, high)) if has else None
        for mean, (low, high), has in zip(means, intervals.tolist(), known.tolist(), strict=True)
    ]
    width = len(QUANTITIES)
    return [
        dict(zip(QUANTITIES, estimates[start : start + width], strict=True))
        for start in range(0, len(estimates), width)
    ]
