"""Metrics of labelled heads: entanglement, association and concept consistency."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelDocument
from mkbench.metrics.functional import (
    concept_consistency,
    concept_consistency_ratio,
    consistency_levels,
    entanglement,
    entanglement_interval,
    paired_bootstrap_difference,
)
from mkbench.metrics.functional.association import associated
from mkbench.systems.records.summary import Metric, mean_metric

NUM_TEXTS = 5
SHUFFLED, NO_LABEL, NOT_JUDGED = "shuffled", "no label", "not judged"
_LEVELS = {"high": (5,), "moderate": (3,), "low": (0, 1)}


def score_heads(document: LabelDocument, *, threshold: int = 3) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the labels of heads.

    A head without a label counts: it shares none, and its texts fit none. So does one that was not judged.

    Args:
        document: the labels of at least one head, in the order of the heads.
        threshold: how many of five texts have to fit for a head to be associated with its label.

    Returns:
        ``metrics``: ``entanglement``, ``entanglement_any``; where heads were judged also ``association``,
        ``concept_consistency`` (the mean score), ``ccs@0`` .. ``ccs@5``, numbers of heads ``ccs_high``,
        ``ccs_moderate``, ``ccs_low``, and ``concept_consistency_ratio``; ``..._shuffled`` by chance.
        ``controls``: whether association and consistency are higher than with shuffled labels, head by head.
        ``fallbacks``: how many heads have no label or no judgement, by the reason.

    Raises:
        ValueError: without heads, or for a threshold out of range.

    Example:
        >>> from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelledHead, Source
        >>> hand = Source("hand")
        >>> judged = Judgement((True, True, True, True, False), hand)
        >>> head = LabelledHead(HeadTexts(11, 0, ("a", "b", "c", "d", "e")), HeadLabel("letter", hand), judged)
        >>> scores = score_heads(LabelDocument((head, head), (), {}, {}))
        >>> {metric["name"]: metric["value"] for metric in scores["metrics"] if not metric["name"].startswith("ccs")}
        {'entanglement': 0.5, 'entanglement_any': 1.0, 'association': 1.0, 'concept_consistency': 4.0}
    """
    labels = [head.label.label or "" for head in document.heads]
    metrics = [_entanglement(labels, "earlier"), _entanglement(labels, "any")]
    controls: list[dict[str, Any]] = []
    if any(head.judgement.fits for head in document.heads):
        fits = _table([head.judgement.fits for head in document.heads])  # (heads, texts)
        values = _values(fits, threshold)
        metrics += [mean_metric(name, None, of_heads, True) for name, of_heads in values.items()]
        metrics += _consistency(labels, fits)
        if document.shuffled:
            of_chance, controls = _compare(values, [_values(_table(one.fits), threshold) for one in document.shuffled])
            metrics += of_chance
    return {"metrics": metrics, "controls": controls, "fallbacks": _count_reasons(document)}


def consistency_by_head(document: LabelDocument) -> dict[Head, int]:
    """Return the concept consistency score (CCS) of each head, 0 to 5; higher is better.

    As in ``score_heads``, a head without a label or a judgement has 0.

    Args:
        document: the labels of at least one head.

    Source: Madasu et al., EMNLP 2025 (arXiv 2503.11103).

    >>> from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelledHead, Source
    >>> hand = Source("hand")
    >>> judged = Judgement((True, True, True, True, False), hand)
    >>> head = LabelledHead(HeadTexts(11, 3, ()), HeadLabel("letter", hand), judged)
    >>> consistency_by_head(LabelDocument((head,), (), {}, {}))
    {(11, 3): 4}
    """
    scores = concept_consistency(_table([head.judgement.fits for head in document.heads])).tolist()
    return {(head.texts.layer, head.texts.head): score for head, score in zip(document.heads, scores, strict=True)}


def _count_reasons(document: LabelDocument) -> dict[str, dict[str, int]]:
    labels = (head.label.reason or NO_LABEL for head in document.heads if not head.label.label)
    judgements = (head.judgement.reason or NOT_JUDGED for head in document.heads if head.judgement.fits is None)
    return {"labels": dict(Counter(labels)), "judgements": dict(Counter(judgements))}


def _table(fits: Sequence[tuple[bool, ...] | None]) -> Tensor:
    """(S, 5) bool of each head's first five texts; texts that are absent or were not judged do not fit."""
    rows = [[*(of_head or ())][:NUM_TEXTS] for of_head in fits]
    return torch.tensor([row + [False] * (NUM_TEXTS - len(row)) for row in rows], dtype=torch.bool)


def _entanglement(labels: Sequence[str], mode: Literal["earlier", "any"]) -> Metric:
    return {
        "name": "entanglement" if mode == "earlier" else f"entanglement_{mode}",
        "explainer": None,
        "value": entanglement(labels, mode=mode),
        "higher_is_better": False,
        "n": len(labels),
        "interval": list(entanglement_interval(labels, mode=mode)),
    }


def _values(fits: Tensor, threshold: int) -> dict[str, Tensor]:
    """What is averaged over heads, (S,) float64 by the name of the metric: higher if texts fit their labels better."""
    scores = {"association": associated(fits, threshold=threshold), "concept_consistency": concept_consistency(fits)}
    return {name: values.double() for name, values in scores.items()}


def _consistency(labels: Sequence[str], fits: Tensor) -> list[Metric]:
    scores = concept_consistency(fits)
    metrics = [mean_metric(f"ccs@{k}", None, (scores == k).double(), None) for k in range(NUM_TEXTS + 1)]
    for level, number in consistency_levels(scores)._asdict().items():
        share = mean_metric(f"ccs_{level}", None, torch.isin(scores, torch.tensor(_LEVELS[level])).double(), None)
        interval = [bound * len(scores) for bound in share["interval"]]
        metrics.append(share | {"value": float(number), "interval": interval})
    ratio = concept_consistency_ratio(labels, scores)
    if math.isnan(ratio):
        return metrics
    entry = {"name": "concept_consistency_ratio", "explainer": None, "value": ratio, "higher_is_better": None}
    return [*metrics, entry | {"n": int((scores == NUM_TEXTS).sum()), "interval": None}]


def _compare(own: dict[str, Tensor], chance: Sequence[dict[str, Tensor]]) -> tuple[list[Metric], list[dict[str, Any]]]:
    """The metrics by chance, averaged over the shuffles for each head, and the comparison with them."""
    metrics, controls = [], []
    for name, values in own.items():
        by_chance = torch.stack([one[name] for one in chance]).mean(dim=0)  # (heads,)
        metrics.append(mean_metric(f"{name}_{SHUFFLED}", None, by_chance, None))
        low, high = paired_bootstrap_difference(values, by_chance)
        controls.append(
            {
                "metric": name,
                "explainer": None,
                "control": SHUFFLED,
                "difference": float((values - by_chance).mean()),
                "interval": [low, high],
                "n": len(values),
                "separates": low > 0,
            }
        )
    return metrics, controls
