"""Catalogue of the metrics of ``results.json``: class, columns, heading, unit, decimals and direction of each."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

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
from mkbench.metrics.entry import Display, MetricEntry
from mkbench.metrics.functional.intervention import FACTORS
from mkbench.metrics.hits import ConceptCount, HitShare
from mkbench.metrics.image_metric import ImageMetric
from mkbench.metrics.insertion import Insertion
from mkbench.metrics.mutual_information import MutualInformation, MutualInformationAUC, MutualInformationExcess
from mkbench.metrics.proportion import Proportion
from mkbench.metrics.removal_curve import RemovalMetric
from mkbench.metrics.row_metric import RowMetric
from mkbench.metrics.segmentation import PixelAccuracy, SegmentationAveragePrecision, SegmentationMeanIoU
from mkbench.metrics.stability import AucCorrelation, AucFlips

_SAMMANI = "Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016"
_GANDELSMAN = "Gandelsman, Efros & Steinhardt, ICLR 2024, arXiv 2310.05916"
_MADASU_2024 = "Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579"
_MADASU_2025 = "Madasu et al., EMNLP 2025, arXiv 2503.11103"
_AGARWAL = "Agarwal, Karanam & Gandhi 2025, arXiv 2511.12978"
_WAFFLE = "Roth et al., ICCV 2023, arXiv 2306.07282"
_OWN = "mkbench"


def _shares(higher_is_better: bool | None, heading: str, decimals: int = 3) -> Display:
    return Display(heading, "", decimals, higher_is_better)


def _percent(higher_is_better: bool | None, heading: str) -> Display:
    return Display(heading, "%", 1, higher_is_better, 100)


def _nats(higher_is_better: bool | None, heading: str) -> Display:
    return Display(heading, "nats", 2, higher_is_better)


def _accuracy(name: str, heading: str, meaning: str, source: str = _SAMMANI, beside: str | None = None) -> MetricEntry:
    """A share of images whose class is found; the column is called as the metric."""
    return MetricEntry(
        name=name,
        metric=Proportion,
        columns=(name,),
        display=_percent(True, heading),
        meaning=meaning,
        source=source,
        beside=beside,
        of_model=True,
    )


def _removal(
    name: str, metric: type[RemovalMetric], column: str, heading: str, meaning: str, *, higher_is_better: bool
) -> list[MetricEntry]:
    """Both scales of a removal curve, and of its reversed control, whose direction is nobody's aim."""
    entries = []
    for suffix, direction in (("", higher_is_better), ("_reversed", None)):
        for stem, scale in ((name, "mean"), (f"{name}_sum", "sum")):
            entries.append(
                MetricEntry(
                    name=f"{stem}{suffix}",
                    metric=metric,
                    columns=(f"{column}{suffix}",),
                    options={"scale": scale},
                    display=Display(f"{heading}{', reversed' if suffix else ''}", "", 2, direction),
                    meaning=f"{meaning}; {scale} over the steps{', in reversed order' if suffix else ''}",
                    source=f"{_SAMMANI}, appendix E",
                    beside=None if suffix else f"{stem}_reversed",
                    against_controls=not suffix,
                )
            )
    return entries


def _number(
    name: str, display: Display, meaning: str, *, column: str | None = None, source: str = _OWN, **more: Any
) -> MetricEntry:
    """The mean over images of one column; it is called as the metric unless it is named."""
    columns = (column or name,)
    return MetricEntry(
        **({"metric": ImageMetric} | more), name=name, columns=columns, display=display, meaning=meaning, source=source
    )


def _of_heads(
    name: str, metric: type[RowMetric], display: Display, meaning: str, source: str, **more: Any
) -> MetricEntry:
    """A metric over attention heads."""
    columns: tuple[str, ...] = more.pop("columns", metric.columns)
    return MetricEntry(
        name=name, metric=metric, columns=columns, display=display, meaning=meaning, source=source, **more
    )


def _stability(cause: str, metric: type[RowMetric], kind: str, higher_is_better: bool, meaning: str) -> MetricEntry:
    """Whether the AUC of an image's own curve stays when the image is explained again."""
    return MetricEntry(
        name=f"{cause}_auc_{kind}",
        metric=metric,
        columns=("curve", f"{cause}_auc"),
        display=_shares(higher_is_better, f"AUC {kind}, {cause}"),
        meaning=meaning,
        source=_OWN,
        against_controls=True,
    )


_MUTUAL = (
    MetricEntry(
        name="mutual_information",
        metric=MutualInformation,
        columns=("curve",),
        display=_nats(True, "MI"),
        meaning="overlap of the descriptors found in an image with the language concepts of its class",
        source=_SAMMANI,
        against_controls=True,
    ),
    MetricEntry(
        name="mutual_information_auc",
        metric=MutualInformationAUC,
        columns=("curve",),
        display=_nats(True, "AUC"),
        meaning="mean of that while the most important descriptors are removed one by one",
        source=_SAMMANI,
        beside="mutual_information_auc_chance",
        against_controls=True,
    ),
    MetricEntry(
        name="mutual_information_auc_chance",
        metric=MutualInformationAUC,
        columns=("chance_curve",),
        display=_nats(None, "chance AUC"),
        meaning="the same against the language concepts of other classes",
        source=_OWN,
    ),
    MetricEntry(
        name="mutual_information_auc_excess",
        metric=MutualInformationExcess,
        columns=("curve", "chance_curve"),
        display=_nats(True, "excess AUC"),
        meaning="AUC minus chance",
        source=_OWN,
        against_controls=True,
    ),
    MetricEntry(
        name="mutual_information_image_auc",
        metric=MutualInformationAUC,
        columns=("curve",),
        options={"average": "image"},
        display=_nats(True, "AUC per image"),
        meaning="mean over images of the area under each one's own curve, without padding to the longest",
        source=_OWN,
    ),
    MetricEntry(
        name="mutual_information_grouped",
        metric=MutualInformation,
        columns=("grouped_curve",),
        display=_nats(True, "MI, concepts"),
        meaning="MI with descriptors that state the same counted as one concept",
        source=_OWN,
        against_controls=True,
    ),
    MetricEntry(
        name="mutual_information_auc_grouped",
        metric=MutualInformationAUC,
        columns=("grouped_curve",),
        display=_nats(True, "AUC, concepts"),
        meaning="AUC with descriptors that state the same counted as one concept",
        source=_OWN,
        against_controls=True,
    ),
    MetricEntry(
        name="concept_count",
        metric=ConceptCount,
        columns=("hits",),
        display=Display("concepts N", "", 1, None),
        meaning="number of different descriptors found in an image",
        source=_OWN,
    ),
    MetricEntry(
        name="hit_share",
        metric=HitShare,
        columns=("hits",),
        display=_shares(None, "hits K / N"),
        meaning="share of the descriptors found in an image that are language concepts of its class",
        source=_OWN,
    ),
    MetricEntry(
        name="part_count",
        metric=ImageMetric,
        columns=("num_parts",),
        display=Display("parts", "", 1, None),
        meaning="number of parts of an image",
        source=_OWN,
    ),
    MetricEntry(
        name="concept_entropy",
        metric=ConceptEntropy,
        columns=("concept_entropy",),
        display=_nats(None, "concept entropy"),
        meaning="entropy of the descriptors over an image's parts; higher where parts are told apart",
        source=f"{_SAMMANI}, appendix A.2",
    ),
)
_FALL = "area under the class score while parts are blurred one by one"
_RISE = "area under the class score while parts come back into the blurred image"
_EXACT_FALL = _FALL.replace("blurred", "taken away")
_EXACT_RISE = _RISE.replace("blurred image", "empty scene")
_SCORED = (
    *_removal("deletion", Deletion, "deletion_scores", "deletion", _FALL, higher_is_better=False),
    *_removal("insertion", Insertion, "insertion_scores", "insertion", _RISE, higher_is_better=True),
    *_removal(
        "accuracy_drop",
        AccuracyDrop,
        "deletion_correct",
        "AccDrop",
        _FALL.replace("class score", "top-1 accuracy"),
        higher_is_better=False,
    ),
    *_removal(
        "accuracy_increase",
        AccuracyIncrease,
        "insertion_correct",
        "AccInc",
        _RISE.replace("class score", "top-1 accuracy"),
        higher_is_better=True,
    ),
    *_removal(
        "exact_deletion", Deletion, "exact_deletion_scores", "exact deletion", _EXACT_FALL, higher_is_better=False
    ),
    *_removal(
        "exact_insertion", Insertion, "exact_insertion_scores", "exact insertion", _EXACT_RISE, higher_is_better=True
    ),
    *_removal(
        "exact_accuracy_drop",
        AccuracyDrop,
        "exact_deletion_correct",
        "exact AccDrop",
        _EXACT_FALL.replace("class score", "top-1 accuracy"),
        higher_is_better=False,
    ),
    *_removal(
        "exact_accuracy_increase",
        AccuracyIncrease,
        "exact_insertion_correct",
        "exact AccInc",
        _EXACT_RISE.replace("class score", "top-1 accuracy"),
        higher_is_better=True,
    ),
    _number(
        "importance_calibration",
        Display("calibration", "", 2, True),
        "rank correlation of the importance of parts and the fall of the class score without each",
        column="importance_effect",
        against_controls=True,
    ),
    _number(
        "descriptor_precision",
        _shares(True, "descriptor precision"),
        "share of an image's vision concepts that it shows",
        beside="descriptor_precision_chance",
        against_controls=True,
    ),
    _number(
        "descriptor_precision_chance",
        _shares(None, "descriptor precision of random descriptors"),
        "share of the bank that an image shows",
        of_model=True,
    ),
    _number(
        "descriptor_recall",
        _shares(True, "descriptor recall"),
        "share of what an image shows that is among its vision concepts",
        beside="descriptor_recall_bound",
        against_controls=True,
    ),
    _number(
        "descriptor_recall_bound",
        _shares(None, "descriptor recall, at most"),
        "the largest recall that the number of vision concepts allows",
    ),
    _number(
        "part_iou",
        _shares(True, "part IoU"),
        "overlap of parts with the true parts that their first descriptors name",
        against_controls=True,
    ),
    _number(
        "object_driven",
        _percent(None, "driven by the object"),
        "share of images whose first part lies on the object by more than half",
        source=_AGARWAL,
        metric=Proportion,
        beside="object_area",
    ),
    _number(
        "object_area",
        _percent(None, "area of the object"),
        "share of an image that its object covers",
        of_model=True,
    ),
    _number(
        "mutual_precision",
        _shares(True, "mutual precision"),
        "share of the concepts that both encoders name that the image shows",
        beside="mutual_precision_permuted",
        against_controls=True,
    ),
    _number(
        "mutual_precision_permuted",
        _shares(None, "mutual precision, permuted"),
        "the same with the language concepts of other classes",
    ),
    _number(
        "language_precision",
        _shares(True, "language precision"),
        "share of the language concepts of an image's class that are true of the class",
        beside="language_precision_permuted",
        of_model=True,
    ),
    _number(
        "language_recall",
        _shares(True, "language recall"),
        "share of what is true of an image's class that is among its language concepts",
        beside="language_recall_permuted",
        of_model=True,
    ),
    _number(
        "language_precision_permuted",
        _shares(None, "language precision, permuted"),
        "language precision with the language concepts of other classes",
        of_model=True,
    ),
    _number(
        "language_recall_permuted",
        _shares(None, "language recall, permuted"),
        "language recall with the language concepts of other classes",
        of_model=True,
    ),
    *(
        entry
        for cause, when in (("noise", "under one grey level of noise"), ("reseed", "with another seed"))
        for entry in (
            _number(
                f"{cause}_jaccard",
                _shares(True, f"concepts kept, {cause}"),
                f"overlap (Jaccard) of an image's concepts with those of a second explanation {when}",
                against_controls=True,
            ),
            _stability(cause, AucCorrelation, "correlation", True, f"correlation over images of their AUC {when}"),
            _stability(
                cause, AucFlips, "flips", False, f"share of images whose AUC changes between 0 and above {when}"
            ),
        )
    ),
    _number(
        "corloc",
        _percent(True, "CorLoc"),
        "share of images whose foreground box has an IoU above 0.5 with a true box",
        column="localised",
        source=f"{_SAMMANI}, appendix A.1",
        metric=CorLoc,
        beside="corloc_whole_image",
        of_model=True,
    ),
    _number(
        "corloc_whole_image",
        _percent(None, "CorLoc of the whole image"),
        "the same of the box of the whole image",
        column="localised_by_whole",
        metric=CorLoc,
        of_model=True,
    ),
    _number(
        "intervention_hit_rate",
        _shares(True, "hit rate"),
        "share of the descriptors that become true or false in a changed image that its explanation changes too",
        against_controls=True,
    ),
    _number(
        "intervention_false_alarm",
        _shares(False, "false alarm"),
        "share of the descriptors whose truth stays in a changed image that its explanation changes",
        against_controls=True,
    ),
    _number(
        "intervention_direction",
        _shares(True, "direction"),
        "share of the descriptors that change in image and explanation that change in the same direction",
        against_controls=True,
    ),
    _number(
        "intervention_j",
        _shares(True, "J"),
        "hit rate minus false alarm of an explanation in which one thing of the image is changed",
        beside="intervention_j_mispaired",
        against_controls=True,
    ),
    _number(
        "intervention_j_mispaired",
        _shares(None, "J, mispaired"),
        "the same against what another change of the image changes",
    ),
    *(
        _number(
            f"intervention_j_{factor}",
            _shares(True, f"J, {factor.replace('_', ' ')}"),
            f"J of images of which {factor.replace('_', ' ')} is what is changed",
            against_controls=True,
        )
        for factor in FACTORS
    ),
    _number(
        "intervention_focus",
        Display("focus", "", 2, True),
        "share of the change of the importance map inside the changed pixels, over their share of the area",
        beside="intervention_focus_mispaired",
        against_controls=True,
    ),
    _number(
        "intervention_focus_mispaired",
        Display("focus, mispaired", "", 2, None),
        "the same inside the pixels that another change of the image changes",
    ),
    _number(
        "intervention_score_auc",
        _shares(True, "score AUC"),
        "probability that the score of a descriptor moves as its truth does in a changed image, further than others",
        beside="intervention_score_auc_mispaired",
        of_model=True,
    ),
    _number(
        "intervention_score_auc_mispaired",
        _shares(None, "score AUC, mispaired"),
        "the same against what another change of the image changes",
        of_model=True,
    ),
    _number(
        "kept_region_top1",
        _percent(True, "kept-region top-1"),
        "share of images whose class is found with all but the foreground blurred",
        column="kept_region_correct",
        metric=Proportion,
        source=f"{_SAMMANI}, appendix A.3",
        beside="top1",
        of_model=True,
    ),
)
_ACCURACIES = (
    _accuracy("top1", "top-1", "share of images whose class is the most similar one"),
    _accuracy("top5", "top-5", "share of images whose class is among the five most similar ones"),
    _accuracy("top1_descriptors", "top-1, descriptors", "top-1 by each class's own descriptors", beside="top1"),
    _accuracy("top1_mined", "top-1, mined", "top-1 by own and mined descriptors", beside="top1_descriptors"),
    _accuracy("top1_shuffled", "top-1, shuffled", "top-1 by the descriptors of other classes", _WAFFLE),
    _accuracy("top1_random", "top-1, random words", "top-1 by words at random in place of descriptors", _WAFFLE),
    _accuracy("top5_descriptors", "top-5, descriptors", "top-5 by each class's own descriptors", beside="top5"),
    _accuracy("top5_mined", "top-5, mined", "top-5 by own and mined descriptors", beside="top5_descriptors"),
    _accuracy("top5_shuffled", "top-5, shuffled", "top-5 by the descriptors of other classes", _WAFFLE),
    _accuracy("top5_random", "top-5, random words", "top-5 by words at random in place of descriptors", _WAFFLE),
    _accuracy(
        "top1_mean_ablated",
        "heads alone",
        "top-1 with everything but the heads of the last layers replaced by its mean",
        _GANDELSMAN,
        "top1",
    ),
    _accuracy(
        "top1_reconstructed",
        "their texts alone",
        "top-1 with these heads replaced by what their texts keep of them",
        _GANDELSMAN,
        "top1_mean_ablated",
    ),
)
_SEGMENTATION = (
    MetricEntry(
        name="pixel_accuracy",
        metric=PixelAccuracy,
        columns=("pixels",),
        display=_shares(True, "pixel accuracy"),
        meaning="share of the pixels of all images that are taken for what they are",
        source=f"{_GANDELSMAN}, table 2",
    ),
    MetricEntry(
        name="mean_iou",
        metric=SegmentationMeanIoU,
        columns=("pixels",),
        display=_shares(True, "mIoU"),
        meaning="intersection over union of the pixels of all images, averaged over object and background",
        source=f"{_GANDELSMAN}, table 2",
    ),
    MetricEntry(
        name="average_precision",
        metric=SegmentationAveragePrecision,
        columns=("average_precision",),
        display=_shares(True, "mAP"),
        meaning="average precision of the pixels of an image",
        source=f"{_GANDELSMAN}, table 2",
    ),
)
_CCS = "share of heads of which exactly {} of five texts fit the label"
_HEADS = (
    _of_heads(
        "entanglement",
        Entanglement,
        _shares(False, "entanglement"),
        "share of heads whose label an earlier head has too",
        _MADASU_2024,
    ),
    _of_heads(
        "entanglement_any",
        Entanglement,
        _shares(False, "entanglement with any"),
        "share of heads whose label another head has too",
        _MADASU_2024,
        options={"mode": "any"},
    ),
    _of_heads(
        "association",
        Association,
        _shares(True, "association"),
        "share of heads with enough texts that fit their label",
        _MADASU_2024,
        beside="association_shuffled",
    ),
    _of_heads(
        "concept_consistency",
        ConceptConsistency,
        Display("CCS", "", 2, True),
        "how many of a head's five texts fit its label",
        _MADASU_2025,
        beside="concept_consistency_shuffled",
    ),
    *(
        _of_heads(
            f"ccs@{k}",
            ConceptConsistencyShare,
            _shares(None, f"CCS@{k}"),
            _CCS.format(k),
            _MADASU_2025,
            options={"k": k},
        )
        for k in range(6)
    ),
    *(
        _of_heads(
            f"ccs_{level}",
            ConceptConsistencyCount,
            Display(f"heads of {level} CCS", "heads", 0, None),
            f"number of heads of which {texts} of five texts fit the label",
            _MADASU_2025,
            options={"level": level},
        )
        for level, texts in (("high", "all"), ("moderate", "three"), ("low", "at most one"))
    ),
    _of_heads(
        "concept_consistency_ratio",
        ConceptConsistencyRatio,
        _shares(None, "CCR"),
        "concepts held by more than one head whose five texts fit, for each such head",
        _MADASU_2025,
    ),
    _of_heads(
        "association_shuffled",
        Association,
        _shares(None, "association, permuted labels"),
        "association with the labels permuted among the heads",
        _OWN,
        columns=("shuffled_fits",),
    ),
    _of_heads(
        "concept_consistency_shuffled",
        ConceptConsistency,
        Display("CCS, permuted labels", "", 2, None),
        "CCS with the labels permuted among the heads",
        _OWN,
        columns=("shuffled_fits",),
    ),
)
#: Name -> metric, in the order of results.
CATALOGUE: Mapping[str, MetricEntry] = {
    entry.name: entry for entry in (*_ACCURACIES, *_MUTUAL, *_SCORED, *_SEGMENTATION, *_HEADS)
}


def metrics_of(
    columns: Collection[str], *, own: Sequence[MetricEntry] = (), of_model: bool | None = None
) -> list[MetricEntry]:
    """Return the metrics that can be read from some columns, in the order of the catalogue, a user's behind it.

    Args:
        columns: that there are.
        own: a user's metrics.
        of_model: only those that are of the model, or only those that are of an explainer; None: all.

    >>> [entry.name for entry in metrics_of({"localised", "class_name"})]
    ['corloc']
    """
    return [
        entry
        for entry in (*CATALOGUE.values(), *own)
        if set(entry.columns) <= set(columns) and of_model in (None, entry.of_model)
    ]


def metric_entry(results: Mapping[str, Any], name: str) -> Display:
    """Return how a metric is shown: by the catalogue, or by what the run itself says of a user's metric.

    Args:
        results: a parsed ``results.json``.
        name: of the metric.

    Raises:
        KeyError: neither knows it.

    >>> metric_entry({"metrics": []}, "corloc")
    Display(heading='CorLoc', unit='%', decimals=1, higher_is_better=True, scale=100)
    >>> shown = {"heading": "dark", "unit": "", "decimals": 1, "higher_is_better": False, "scale": 1.0}
    >>> metric_entry({"metrics": [{"name": "darkness", **shown}]}, "darkness").heading
    'dark'
    """
    if name in CATALOGUE:
        return CATALOGUE[name].display
    for metric in results["metrics"]:
        if metric["name"] == name and "heading" in metric:
            return Display(**{key: metric[key] for key in Display._fields})
    raise KeyError(name)
