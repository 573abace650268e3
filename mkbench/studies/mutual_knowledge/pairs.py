"""Paired differences of models over the images that both explained, with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from mkbench.metrics.functional import bootstrap_intervals
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate

#: Keys of what is compared, with their headings: AUC and excess AUC in nats, accuracy in points (percent).
QUANTITIES = {"auc": "AUC", "excess": "excess AUC", "top1": "top-1 points"}
_COLUMNS = ("sample_id", "explainer", "top1", "curve", "chance_curve")


@dataclass(frozen=True)
class ImageValues:
    """Values of each image of a run, by one explainer.

    Attributes:
        sample_ids: (n,) names of the images, sorted, preceded by the name of the data set.
        values: (n, 3) float64, columns as in ``QUANTITIES``; NaN where an image has no value.
    """

    sample_ids: NDArray[np.str_]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Paired differences of two models over the images that both have.

    Attributes:
        explainer: the explainer that both were measured with.
        first: label of the model that ranks higher.
        second: label of the other.
        neighbors: whether no model ranks between them.
        images: number of images that both have, at least one.
        differences: key of ``QUANTITIES`` -> first less second with its 95 % interval, None where a model has no value.
    """

    explainer: str
    first: str
    second: str
    neighbors: bool
    images: int
    differences: Mapping[str, Estimate | None]

    def clear_of_zero(self, key: str) -> bool | None:
        """Whether 0 is outside the interval of a difference; None without a difference.

        >>> pair = Pair("pca", "a", "b", True, 9, {"auc": Estimate(0.1, (-0.1, 0.2)), "excess": None})
        >>> pair.clear_of_zero("auc"), pair.apart("excess")
        (False, None)
        """
        difference = self.differences[key]
        if difference is None or difference.interval is None:
            return None
        low, high = difference.interval
        return not low <= 0 <= high


def read_image_values(run: Path, data_name: str) -> dict[str, ImageValues]:
    """Read what each explainer measured on each image of a run; empty where the run has no group files.

    Args:
        run: folder of a finished run.
        data_name: name of its data set, so that images of two data sets are never taken for the same.

    Raises:
        DataError: a group file is damaged.
    """
    rows = read_columns(run, _COLUMNS)
    return {
        explainer: _image_values(rows.filter(pc.equal(rows["explainer"], explainer)), data_name)
        for explainer in rows["explainer"].unique().to_pylist()
    }


def _image_values(rows: pa.Table, data_name: str) -> ImageValues:
    auc, chance = (_padded_means(rows[name]) for name in ("curve", "chance_curve"))
    top1 = np.asarray(pc.cast(rows["top1"], pa.float64()).to_numpy(), dtype=np.float64) * 100  # null becomes NaN
    names = pc.binary_join_element_wise(data_name, rows["sample_id"], "/")
    sample_ids = np.asarray(names.to_numpy(zero_copy_only=False), dtype=np.str_)
    order = np.argsort(sample_ids, kind="stable")
    return ImageValues(sample_ids[order], np.stack([auc, auc - chance, top1], axis=1)[order])


def _padded_means(curves: pa.ChunkedArray) -> NDArray[np.float64]:
    """(images,) means of ragged curves, padded with 0 to the longest: their mean is the AUC of the set."""
    lengths, rows = pc.list_value_length(curves).to_numpy(), pc.list_parent_indices(curves).to_numpy()
    sums = np.bincount(rows, weights=pc.list_flatten(curves).to_numpy(), minlength=len(lengths))
    return np.asarray(sums / lengths.max(), dtype=np.float64)


def compare_pairs(explainer: str, models: Sequence[tuple[str, ImageValues]]) -> list[Pair]:
    """Compare every pair of models over the images that both have.

    Each interval is that of ``paired_bootstrap_difference``: the same resampled images for both models, 95 %, a fixed
    seed. An interval holds for its pair alone; among many pairs some intervals miss 0 at random.

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
        rows = [values.values[np.isin(own, shared)] for own, (_, values) in zip(codes, models, strict=True)]
        estimates = _differences(np.stack([rows[first] - rows[second] for first, second in members], axis=1))
        for (first, second), differences in zip(members, estimates, strict=True):
            pairs[first, second] = Pair(
                explainer, models[first][0], models[second][0], second == first + 1, len(shared), differences
            )
    return [pairs[ranks] for ranks in sorted(pairs)]


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
