"""Metrics of labelled heads: entanglement, association and concept consistency."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelDocument
from mkbench.metrics import Association
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.functional import concept_consistency
from mkbench.metrics.metric_results import control_result, metric_result

NUM_TEXTS = 5
SHUFFLED, NO_LABEL, NOT_JUDGED = "shuffled", "no label", "not judged"


def score_heads(document: LabelDocument, *, threshold: int = 3) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the labels of heads.

    A head without a label counts: it shares none, and its texts fit none. So does one that was not judged.

    Args:
        document: the labels of at least one head, in the order of the heads.
        threshold: how many of five texts have to fit for a head to be associated with its label.

    Returns:
        ``metrics``: ``entanglement``, ``entanglement_any``; where heads were judged also ``association``,
        ``concept_consistency`` (the mean score), ``ccs@0`` .. ``ccs@5``, numbers of heads ``ccs_high``,
        ``ccs_moderate``, ``ccs_low``, and ``concept_consistency_ratio``; ``..._shuffled`` with permuted labels.
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
    if not document.heads:
        raise ValueError("expected the labels of at least one head, found none")
    rows: dict[str, list[Any]] = {"label": [head.label.label or "" for head in document.heads]}
    if any(head.judgement.fits for head in document.heads):
        rows["fits"] = _pad([head.judgement.fits for head in document.heads])
        if document.shuffled:  # head -> shuffle -> texts
            shuffles = [_pad(one.fits) for one in document.shuffled]
            rows["shuffled_fits"] = [list(of_head) for of_head in zip(*shuffles, strict=True)]
    metrics, controls = [], []
    for entry in metrics_of(rows.keys()):
        options: dict[str, Any] = {"threshold": threshold} if entry.metric is Association else {}
        metrics.append(metric_result(entry, rows, **options))
        control = CATALOGUE[entry.beside] if entry.beside and "shuffled_fits" in rows else None
        controls.append(control_result(entry, control, rows, rows, **options))
    return {
        "metrics": [metric for metric in metrics if metric is not None],
        "controls": [control for control in controls if control is not None],
        "fallbacks": _count_reasons(document),
    }


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
    fits = torch.tensor(_pad([head.judgement.fits for head in document.heads]), dtype=torch.bool)
    scores = concept_consistency(fits).tolist()
    return {(head.texts.layer, head.texts.head): score for head, score in zip(document.heads, scores, strict=True)}


def count_fits(fits: Sequence[bool] | None) -> int | None:
    """Return how many of a head's first five texts fit its label; None where they were not judged.

    >>> count_fits((True, False, True)), count_fits(None)
    (2, None)
    """
    return None if fits is None else sum(fits[:NUM_TEXTS])


def _count_reasons(document: LabelDocument) -> dict[str, dict[str, int]]:
    labels = (head.label.reason or NO_LABEL for head in document.heads if not head.label.label)
    judgements = (head.judgement.reason or NOT_JUDGED for head in document.heads if head.judgement.fits is None)
    return {"labels": dict(Counter(labels)), "judgements": dict(Counter(judgements))}


def _pad(fits: Sequence[tuple[bool, ...] | None]) -> list[list[bool]]:
    """Five judgements of each head, of its first texts; texts that are absent or were not judged do not fit."""
    rows = [[*(of_head or ())][:NUM_TEXTS] for of_head in fits]
    return [row + [False] * (NUM_TEXTS - len(row)) for row in rows]
