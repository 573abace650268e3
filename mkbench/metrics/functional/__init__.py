"""The metrics as pure functions; the classes of :mod:`mkbench.metrics` keep their sums over batches and processes."""

from mkbench.metrics.functional.accuracy_drop import accuracy_drop
from mkbench.metrics.functional.accuracy_increase import accuracy_increase
from mkbench.metrics.functional.association import association
from mkbench.metrics.functional.bootstrap import bootstrap_interval, bootstrap_intervals, paired_bootstrap_difference
from mkbench.metrics.functional.chance import Membership, chance_curves, membership
from mkbench.metrics.functional.cluster_bootstrap import cluster_bootstrap_interval
from mkbench.metrics.functional.concept_consistency import (
    ccs_share,
    concept_consistency,
    concept_consistency_ratio,
    consistency_levels,
)
from mkbench.metrics.functional.concept_entropy import concept_entropy
from mkbench.metrics.functional.corloc import box_iou, corloc, foreground_boxes, localised
from mkbench.metrics.functional.curves import average_curves, mutual_information_auc
from mkbench.metrics.functional.deletion import deletion
from mkbench.metrics.functional.entanglement import entanglement, entanglement_interval, matching_labels
from mkbench.metrics.functional.estimators import mutual_information_curves
from mkbench.metrics.functional.ground_truth import (
    DescriptorAgreement,
    descriptor_agreement,
    named_part_iou,
    object_driven,
)
from mkbench.metrics.functional.grouped_curves import GroupedCurves, group_concepts, grouped_curves
from mkbench.metrics.functional.insertion import insertion
from mkbench.metrics.functional.intervention import DescriptorChange, descriptor_change, map_change, score_change
from mkbench.metrics.functional.kendall_tau import kendall_tau, kendall_tau_interval
from mkbench.metrics.functional.language_truth import language_agreement, mutual_agreement
from mkbench.metrics.functional.max_skew import max_skew
from mkbench.metrics.functional.mutual_information import (
    mutual_information,
    mutual_information_curve,
    padded_mutual_information_curves,
    sort_by_importance,
)
from mkbench.metrics.functional.paired_test import holm_adjusted, paired_p_value
from mkbench.metrics.functional.rank_correlation import rank_correlation
from mkbench.metrics.functional.removal_curve import average_removal_curve, curve_mean, curve_sum
from mkbench.metrics.functional.removal_sequence import correctness_curve, removal_images, removal_order, score_curve
from mkbench.metrics.functional.segmentation import (
    pixel_accuracy,
    segmentation_average_precision,
    segmentation_mean_iou,
)
from mkbench.metrics.functional.stability import concept_overlap, flip_share, pearson_correlation
from mkbench.metrics.functional.wilson import wilson_interval

__all__ = [
    "DescriptorAgreement",
    "DescriptorChange",
    "GroupedCurves",
    "Membership",
    "accuracy_drop",
    "accuracy_increase",
    "association",
    "average_curves",
    "average_removal_curve",
    "bootstrap_interval",
    "bootstrap_intervals",
    "box_iou",
    "ccs_share",
    "chance_curves",
    "cluster_bootstrap_interval",
    "concept_consistency",
    "concept_consistency_ratio",
    "concept_entropy",
    "concept_overlap",
    "consistency_levels",
    "corloc",
    "correctness_curve",
    "curve_mean",
    "curve_sum",
    "deletion",
    "descriptor_agreement",
    "descriptor_change",
    "entanglement",
    "entanglement_interval",
    "flip_share",
    "foreground_boxes",
    "group_concepts",
    "grouped_curves",
    "holm_adjusted",
    "insertion",
    "kendall_tau",
    "kendall_tau_interval",
    "language_agreement",
    "localised",
    "map_change",
    "matching_labels",
    "max_skew",
    "membership",
    "mutual_agreement",
    "mutual_information",
    "mutual_information_auc",
    "mutual_information_curve",
    "mutual_information_curves",
    "named_part_iou",
    "object_driven",
    "padded_mutual_information_curves",
    "paired_bootstrap_difference",
    "paired_p_value",
    "pearson_correlation",
    "pixel_accuracy",
    "rank_correlation",
    "removal_images",
    "removal_order",
    "score_change",
    "score_curve",
    "segmentation_average_precision",
    "segmentation_mean_iou",
    "sort_by_importance",
    "wilson_interval",
]
