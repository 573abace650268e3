"""Values of single images, read from the group files of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from mkbench.metrics.functional import mutual_information_curves
from mkbench.metrics.functional.estimators import ESTIMATORS
from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import read_columns
from mkbench.runs.schema import RunResults

_COLUMNS = ("sample_id", "explainer", "class_index", "top1", "hits", "curve", "chance_curve")
_GROUPED = pa.schema([("grouped_curve", pa.list_(pa.float64()))])
_Values = NDArray[np.float64]


@dataclass(frozen=True)
class ImageValues:
    """Values of each image of a run, by one explainer.

    Attributes:
        sample_ids: (n,) names of the images, sorted, preceded by the name of the data set.
        values: (n, 3) float64: AUC, excess AUC (nats) and top-1 (percent); NaN where an image has no value.
        classes: (n,) int64, their classes; None for images without labels.
        grouped: (n,) float64 AUC with descriptors that state the same counted once; None where the run has none.
        estimated: estimator that the run did not use -> (n,) float64 AUC by it, in nats.
        longest: entries of the longest curve, to which those of all images are padded.
    """

    sample_ids: NDArray[np.str_]
    values: _Values
    classes: NDArray[np.int64] | None = None
    grouped: _Values | None = None
    estimated: Mapping[str, _Values] = field(default_factory=dict)
    longest: int = 1

    def padded_to(self, longest: int) -> _Values:
        """Return the values as they are where curves are padded to so many entries.

        >>> ImageValues(np.array(["a"]), np.array([[3.0, 1.5, 100.0]]), longest=2).padded_to(3).tolist()
        [[2.0, 1.0, 100.0]]
        """
        share = self.longest / longest
        return self.values * [share, share, 1]


def read_image_values(run: Run) -> dict[str, ImageValues]:
    """Read what each explainer measured on each image of a run; empty where the run has no group files.

    Args:
        run: a finished run; the name of its data set comes before those of its images, so that images of two data sets
            are never taken for the same.

    Raises:
        DataError: a group file is damaged.
    """
    rows = read_columns(run.folder, _COLUMNS, optional=_GROUPED)
    return {
        explainer: _image_values(rows.filter(pc.equal(rows["explainer"], explainer)), run.results)
        for explainer in rows["explainer"].unique().to_pylist()
    }


def _image_values(rows: pa.Table, results: RunResults) -> ImageValues:
    auc, chance = (_padded_means(rows[name]) for name in ("curve", "chance_curve"))
    top1 = np.asarray(pc.cast(rows["top1"], pa.float64()).to_numpy(), dtype=np.float64) * 100  # null becomes NaN
    names = pc.binary_join_element_wise(str(results["data"]["name"]), rows["sample_id"], "/")
    sample_ids = np.asarray(names.to_numpy(zero_copy_only=False), dtype=np.str_)
    order = np.argsort(sample_ids, kind="stable")
    classes, grouped = rows["class_index"], rows["grouped_curve"]
    return ImageValues(
        sample_ids[order],
        np.stack([auc, auc - chance, top1], axis=1)[order],
        None if classes.null_count else classes.to_numpy()[order],
        None if grouped.null_count or not len(rows) else _padded_means(grouped)[order],
        {name: values[order] for name, values in _by_other_estimators(rows["hits"], results).items()},
        longest_curve(rows["curve"]),
    )


def _padded_means(curves: pa.ChunkedArray) -> _Values:
    """(images,) means of ragged curves, padded with 0 to the longest: their mean is the AUC of the set."""
    return curve_sums(curves) / longest_curve(curves)


def longest_curve(curves: pa.ChunkedArray) -> int:
    """Return the entries of the longest of at least one ragged curve.

    >>> longest_curve(pa.chunked_array([[[2.0, 1.0], [], [4.0]]]))
    2
    """
    entries: int = pc.max(pc.list_value_length(curves)).as_py()
    return entries


def curve_sums(curves: pa.ChunkedArray) -> _Values:
    """Return the sum of each ragged curve, (images,).

    >>> curve_sums(pa.chunked_array([[[2.0, 1.0], [], [4.0]]])).tolist()
    [3.0, 0.0, 4.0]
    """
    rows = pc.list_parent_indices(curves).to_numpy()
    sums = np.bincount(rows, weights=pc.list_flatten(curves).to_numpy(), minlength=len(curves))
    return np.asarray(sums, dtype=np.float64)


def _by_other_estimators(hits: pa.ChunkedArray, results: RunResults) -> dict[str, _Values]:
    """The same AUC by the estimators that the run did not use, which its hits are enough for."""
    settings, bank = results["settings"], results["data"].get("bank")
    if bank is None or "num_language_concepts" not in settings or not len(hits):
        return {}
    lengths = pc.list_value_length(hits).to_numpy()
    padded = np.zeros((len(lengths), lengths.max()), dtype=bool)  # (images, ids)
    padded[np.arange(lengths.max()) < lengths[:, None]] = pc.list_flatten(hits).to_numpy(zero_copy_only=False)
    counts, language = torch.from_numpy(lengths.astype(np.int64)), settings["num_language_concepts"]
    return {
        name: mutual_information_curves(
            torch.from_numpy(padded), counts, language, estimator=name, bank_size=bank["size"]
        )
        .mean(dim=1)
        .numpy()
        for name in ESTIMATORS
        if name != settings.get("estimator")
    }
