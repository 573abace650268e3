"""Metrics with data for two processes; a module of its own, because started processes import it by name."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import distributed
from torchmetrics import Metric

from mkbench.metrics import (
    AccuracyDrop,
    AccuracyIncrease,
    Association,
    ConceptConsistency,
    ConceptConsistencyCount,
    ConceptConsistencyRatio,
    ConceptEntropy,
    CorLoc,
    Deletion,
    Entanglement,
    ImageMetric,
    Insertion,
    MutualInformation,
    MutualInformationAUC,
    MutualInformationExcess,
    PixelAccuracy,
    SegmentationAveragePrecision,
    SegmentationMeanIoU,
)

PROCESSES = 2


class Case(NamedTuple):
    """A metric, its updates, and which process makes which of them."""

    metric: Callable[[], Metric]
    updates: list[tuple[Any, ...]]
    owners: list[int]


def id_updates() -> list[tuple[Any, ...]]:
    """Four batches whose longest image differs, so that the processes do not agree on the padding by themselves."""
    generator = torch.Generator().manual_seed(0)
    updates = []
    for longest in (3, 7, 2, 5):
        ids = torch.stack([torch.randperm(20, generator=generator)[:longest] for _ in range(4)])
        ids[0, longest - 1 :] = -1
        language = torch.stack([torch.randperm(20, generator=generator)[:9] for _ in range(4)])
        updates.append((ids, torch.rand(4, longest, generator=generator), language))
    return updates


def excess_updates() -> list[tuple[Any, ...]]:
    classes = id_updates()[0][2]
    return [(ids, scores, classes, torch.arange(4)) for ids, scores, _ in id_updates()]


def curve_updates() -> list[tuple[Any, ...]]:
    generator = torch.Generator().manual_seed(1)
    widths = (4, 6, 2)
    return [(torch.rand(3, width, generator=generator), torch.tensor([width, 1, 2])) for width in widths]


def correctness_updates() -> list[tuple[Any, ...]]:
    return [(curves > 0.5, lengths) for curves, lengths in curve_updates()]


def box_updates() -> list[tuple[Any, ...]]:
    predicted = torch.tensor([[0, 0, 9, 9], [0, 0, 4, 4], [0, 0, -1, -1]])
    ground_truth = torch.tensor([[0, 0, 9, 8], [5, 5, 9, 9], [0, 0, 9, 9]])
    return [(predicted, ground_truth), (predicted[:1], ground_truth[:1])]


def entropy_updates() -> list[tuple[Any, ...]]:
    return [(torch.tensor([[1, 1, 2], [3, 4, 5]]),), (torch.tensor([[7, 7, -1]]),)]


def label_updates() -> list[tuple[Any, ...]]:
    """By number: ab, ac, a, b, none, a. In the order of the updates, or of the processes, the value is another one."""
    return [(["a", "b"], [2, 3]), (["ab", ""], [0, 4]), (["a"], [5]), (["ac"], [1])]


def fit_updates() -> list[tuple[Any, ...]]:
    fits = torch.rand(6, 5, generator=torch.Generator().manual_seed(2)) > 0.4
    return [(fits[:1],), (fits[1:4],), (fits[4:],)]


def ratio_updates() -> list[tuple[Any, ...]]:
    """As ``label_updates``, and all texts of all heads fit."""
    return [(labels, [[True] * 5] * len(labels), heads) for labels, heads in label_updates()]


def score_updates() -> list[tuple[Any, ...]]:
    generator = torch.Generator().manual_seed(3)
    return [(torch.rand(count, 4, 5, generator=generator), masks(count, generator)) for count in (3, 1, 2)]


def mask_updates() -> list[tuple[Any, ...]]:
    return [(scores > 0.6, ground_truth) for scores, ground_truth in score_updates()]


def masks(count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, 4, 5, generator=generator) > 0.3


def entangled_with_any() -> Entanglement:
    return Entanglement("any")


def auc_of_images() -> MutualInformationAUC:
    return MutualInformationAUC("image")


def shannon() -> MutualInformation:
    return MutualInformation(estimator="shannon", bank_size=20)


def excess() -> MutualInformationExcess:
    return MutualInformationExcess(bank_size=20)


def few_fitting() -> ConceptConsistencyCount:
    return ConceptConsistencyCount("low")


def part_iou() -> ImageMetric:
    return ImageMetric(columns=("part_iou",))


def row_updates() -> list[tuple[Any, ...]]:
    return [({"part_iou": [0.25, None]},), ({"part_iou": [0.5, 0.75]},)]


def deletion_sum() -> Deletion:
    return Deletion("sum")


METRICS: dict[str, tuple[Callable[[], Metric], list[tuple[Any, ...]]]] = {
    "mutual_information": (MutualInformation, id_updates()),
    "mutual_information_shannon": (shannon, id_updates()),
    "mutual_information_auc": (MutualInformationAUC, id_updates()),
    "mutual_information_image_auc": (auc_of_images, id_updates()),
    "mutual_information_excess": (excess, excess_updates()),
    "deletion": (Deletion, curve_updates()),
    "deletion_sum": (deletion_sum, curve_updates()),
    "insertion": (Insertion, curve_updates()),
    "accuracy_drop": (AccuracyDrop, correctness_updates()),
    "accuracy_increase": (AccuracyIncrease, correctness_updates()),
    "concept_entropy": (ConceptEntropy, entropy_updates()),
    "corloc": (CorLoc, box_updates()),
    "entanglement": (Entanglement, label_updates()),
    "entanglement_any": (entangled_with_any, label_updates()),
    "association": (Association, fit_updates()),
    "concept_consistency": (ConceptConsistency, fit_updates()),
    "concept_consistency_count": (few_fitting, fit_updates()),
    "concept_consistency_ratio": (ConceptConsistencyRatio, ratio_updates()),
    "of_a_user": (part_iou, row_updates()),
    "pixel_accuracy": (PixelAccuracy, mask_updates()),
    "segmentation_mean_iou": (SegmentationMeanIoU, mask_updates()),
    "segmentation_average_precision": (SegmentationAveragePrecision, score_updates()),
}

# Once with the updates given in turn, once with a second process that sees no image.
CASES = {
    f"{name}-{share}": Case(metric, updates, [i % PROCESSES if share == "shared" else 0 for i in range(len(updates))])
    for name, (metric, updates) in METRICS.items()
    for share in ("shared", "empty")
}


def run_process(rank: int, folder: str) -> None:
    """Compute every case in one of the processes and save its values."""
    torch.set_num_threads(1)
    # A process without images computes before its first update, which torchmetrics warns of.
    warnings.filterwarnings("ignore", message="The ``compute`` method of metric")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=PROCESSES)
    values = {}
    for name, case in CASES.items():
        metric = case.metric()
        for owner, update in zip(case.owners, case.updates, strict=True):
            if owner == rank:
                metric.update(*update)
        values[name] = metric.compute()
    torch.save(values, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()
