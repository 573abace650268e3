"""Metrics of explanations, as torchmetrics classes; the logic is in :mod:`mkbench.metrics.functional`."""

from mkbench.metrics.accuracy_drop import AccuracyDrop
from mkbench.metrics.accuracy_increase import AccuracyIncrease
from mkbench.metrics.association import Association
from mkbench.metrics.concept_consistency import (
    ConceptConsistency,
    ConceptConsistencyCount,
    ConceptConsistencyRatio,
    ConceptConsistencyShare,
)
from mkbench.metrics.concept_entropy import ConceptEntropy
from mkbench.metrics.corloc import CorLoc
from mkbench.metrics.deletion import Deletion
from mkbench.metrics.entanglement import Entanglement
from mkbench.metrics.image_metric import ImageMetric
from mkbench.metrics.insertion import Insertion
from mkbench.metrics.mutual_information import MutualInformation, MutualInformationAUC, MutualInformationExcess
from mkbench.metrics.proportion import Proportion
from mkbench.metrics.row_metric import Rows, numbers
from mkbench.metrics.segmentation import PixelAccuracy, SegmentationAveragePrecision, SegmentationMeanIoU

__all__ = [
    "AccuracyDrop",
    "AccuracyIncrease",
    "Association",
    "ConceptConsistency",
    "ConceptConsistencyCount",
    "ConceptConsistencyRatio",
    "ConceptConsistencyShare",
    "ConceptEntropy",
    "CorLoc",
    "Deletion",
    "Entanglement",
    "ImageMetric",
    "Insertion",
    "MutualInformation",
    "MutualInformationAUC",
    "MutualInformationExcess",
    "PixelAccuracy",
    "Proportion",
    "Rows",
    "SegmentationAveragePrecision",
    "SegmentationMeanIoU",
    "numbers",
]
