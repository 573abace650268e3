"""Mutual information and accuracy of each class of a run."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from mkbench.metrics.functional import bootstrap_interval
from mkbench.runs.group_files import stream_columns
from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.image_values import curve_sums, longest_curve

_COLUMNS = ("explainer", "class_index", "class_name", "top1", "curve")
_FEWEST_IMAGES = 2  # an interval over a single image is none
#: Two classes have the same MI if theirs differ by no more than this share of the mean over classes.
SAME_MI = 0.01


@dataclass(frozen=True, eq=False)
class ClassValue:
    """Values of the images of a class, by one explainer.

    Attributes:
        name: of the class.
        top1: share of the images whose class was predicted, 0 to 1.
        mutual_information: (images,) of all concepts of each image, in nats.
        auc: (images,) area under the curve of each, padded to the longest of the run, in nats.
    """

    name: str
    top1: float
    mutual_information: NDArray[np.float64]
    auc: NDArray[np.float64]

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.auc)

    def estimate(self, key: str) -> Estimate:
        """Return the mean of ``mutual_information`` or ``auc`` with its 95 % interval over the images of the class.

        >>> ClassValue("owl", 0.5, np.ones(2), np.ones(2)).estimate("auc")
        Estimate(value=1.0, interval=(1.0, 1.0))
        """
        values = torch.from_numpy(getattr(self, key))
        return Estimate(float(values.mean()), bootstrap_interval(values) if len(values) >= _FEWEST_IMAGES else None)

    def mean(self, key: str) -> float:
        """Return the mean of ``mutual_information`` or ``auc`` alone."""
        return float(getattr(self, key).mean())


def read_class_values(run: Path) -> dict[str, list[ClassValue]]:
    """Read what each explainer measured of each class, in class order; one group file is in memory at a time.

    Args:
        run: folder of a finished run.

    Returns:
        Explainer -> its classes; nothing for a run without group files or without labels.

    Raises:
        DataError: a group file is damaged.
    """
    found: defaultdict[str, defaultdict[int, list[NDArray[np.float64]]]] = defaultdict(lambda: defaultdict(list))
    longest: defaultdict[str, int] = defaultdict(int)
    names: dict[int, str] = {}
    for _, rows in stream_columns(run, _COLUMNS):
        labelled = rows.filter(pc.is_valid(rows["class_index"]))
        for explainer in labelled["explainer"].unique().to_pylist():
            own = labelled.filter(pc.equal(labelled["explainer"], explainer))
            longest[explainer] = max(longest[explainer], longest_curve(own["curve"]))
            names.update(zip(own["class_index"].to_pylist(), own["class_name"].to_pylist(), strict=True))
            values, classes = _image_values(own), own["class_index"].to_numpy()
            for label in np.unique(classes).tolist():
                found[explainer][label].append(values[classes == label])
    return {
        explainer: [
            _of_class(names[label], np.concatenate(classes[label]), longest[explainer]) for label in sorted(classes)
        ]
        for explainer, classes in found.items()
    }


def _image_values(rows: pa.Table) -> NDArray[np.float64]:
    """(images, 3): MI, the sum of the curve, and whether the prediction is right."""
    curves, top1 = rows["curve"], pc.cast(rows["top1"], pa.float64()).to_numpy()
    return np.stack([pc.list_element(curves, 0).to_numpy(), curve_sums(curves), top1], axis=1).astype(np.float64)


def _of_class(name: str, values: NDArray[np.float64], longest: int) -> ClassValue:
    return ClassValue(name, float(values[:, 2].mean()), values[:, 0], values[:, 1] / longest)


def same_information_pairs(classes: Sequence[ClassValue], *, most: int = 5) -> list[tuple[ClassValue, ClassValue]]:
    """Find pairs of classes with the same MI and another AUC; a class is in one pair at most.

    The two encoders then share as much, but of one class what they share is said by the concepts that matter most.

    Source: after Figure 5 of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016; when two are the same is ours.

    Args:
        classes: of one run and explainer.
        most: number of pairs.

    Returns:
        Pairs, that with the largest difference of AUC first, in each the higher AUC first.

    Example:
        >>> def value(name, auc, mi=2.0):
        ...     return ClassValue(name, 0.5, np.array([mi]), np.array([auc]))
        >>> pairs = same_information_pairs([value("a", 0.5), value("b", 0.9), value("c", 0.7), value("d", 9.0, mi=3.0)])
        >>> [(high.name, low.name) for high, low in pairs]
        [('b', 'a')]
    """
    left = sorted(classes, key=lambda one: one.mean("mutual_information"))
    apart = SAME_MI * abs(sum(one.mean("mutual_information") for one in left)) / max(len(left), 1)
    pairs: list[tuple[ClassValue, ClassValue]] = []
    while len(pairs) < most and (pair := _most_different(left, apart)) is not None:
        pairs.append(pair)
        left = [one for one in left if one not in pair]
    return pairs


def _most_different(classes: Sequence[ClassValue], apart: float) -> tuple[ClassValue, ClassValue] | None:
    """The pair with the largest difference of AUC whose MI is at most so far apart, of classes in the order of MI."""
    information, auc = (np.array([one.mean(key) for one in classes]) for key in ("mutual_information", "auc"))
    ends = np.searchsorted(information, information + apart, "right")
    best: tuple[int, int] | None = None
    largest = 0.0
    for start, end in enumerate(ends.tolist()):
        differences = np.abs(auc[start:end] - auc[start])
        other = start + int(differences.argmax())
        if differences.max() > largest:
            best, largest = (start, other), float(differences.max())
    if best is None:
        return None
    high, low = sorted(best, key=lambda place: -auc[place])
    return classes[high], classes[low]
