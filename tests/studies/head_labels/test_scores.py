"""From the labels of heads to metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, ShuffledLabels, Source
from mkbench.metrics.functional.wilson import wilson_interval
from mkbench.studies.head_labels.scores import consistency_by_head, score_heads

HAND = Source("hand")
Fits = tuple[bool, ...] | None


def fitting(count: int, of: int = 5) -> tuple[bool, ...]:
    return (True,) * count + (False,) * (of - count)


def make(labels: Sequence[str | None], fits: Sequence[Fits], shuffled: Sequence[Sequence[Fits]] = ()) -> LabelDocument:
    heads = [
        LabelledHead(
            HeadTexts(11, place, tuple("abcde")),
            HeadLabel(label, HAND, None if label else "refused"),
            Judgement(of_head, HAND, None if of_head else "cut off"),
        )
        for place, (label, of_head) in enumerate(zip(labels, fits, strict=True))
    ]
    controls = tuple(ShuffledLabels(tuple(labels), tuple(one)) for one in shuffled)
    return LabelDocument(tuple(heads), controls, {}, {})


def values(document: LabelDocument, **options: int) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in score_heads(document, **options)["metrics"]}


def test_values_worked_out_by_hand() -> None:
    labels = ["size", "sizes", "colour", None, "shape"]
    found = values(make(labels, [fitting(5), fitting(5), fitting(3), None, fitting(1)]))
    assert found == {
        "entanglement": 0.2,  # the second head
        "entanglement_any": 0.4,
        "association": 0.6,  # 5, 5 and 3 of 5
        "concept_consistency": pytest.approx(14 / 5),
        "ccs@0": 0.2,  # the head that was not judged
        "ccs@1": 0.2,
        "ccs@2": 0.0,
        "ccs@3": 0.2,
        "ccs@4": 0.0,
        "ccs@5": 0.4,
        "ccs_high": 2.0,
        "ccs_moderate": 1.0,
        "ccs_low": 2.0,
        "concept_consistency_ratio": 0.5,  # one concept with two heads, of two high heads
    }


def test_scores_of_heads_are_those_that_are_counted() -> None:
    document = make(["size", None, "colour"], [fitting(5), None, fitting(1)])
    scores = consistency_by_head(document)
    assert scores == {(11, 0): 5, (11, 1): 0, (11, 2): 1}
    found = values(document)
    assert (found["ccs_high"], found["ccs_low"]) == (1, 2)
    assert found["concept_consistency"] == pytest.approx(sum(scores.values()) / 3)


def test_entries_are_those_of_results() -> None:
    fits = [fitting(5), fitting(3), fitting(4), fitting(0)] * 12
    scores = score_heads(make([f"{place % 7}" for place in range(48)], fits, [fits[1:] + fits[:1]]))
    json.dumps(scores, allow_nan=False)
    for metric in scores["metrics"]:
        assert set(metric) == {"name", "explainer", "value", "higher_is_better", "n", "interval"}
        assert metric["explainer"] is None
        if metric["name"] != "concept_consistency_ratio":
            low, high = metric["interval"]
            assert low <= metric["value"] <= high
            assert metric["n"] == 48
    better = {metric["name"]: metric["higher_is_better"] for metric in scores["metrics"]}
    assert (better["entanglement"], better["association"], better["ccs@5"]) == (False, True, None)


def test_counts_have_the_interval_of_counts() -> None:
    fits = [fitting(5)] * 10 + [fitting(2)] * 38
    by_name = {metric["name"]: metric for metric in score_heads(make(["size"] * 48, fits))["metrics"]}
    assert by_name["ccs_high"]["value"] == 10
    share = by_name["ccs@5"]["interval"]
    assert by_name["ccs_high"]["interval"] == pytest.approx([48 * bound for bound in share])
    assert by_name["ccs_low"]["interval"] == pytest.approx([48 * bound for bound in wilson_interval(0, 48)])


def test_threshold_is_a_choice() -> None:
    document = make(["size"] * 2, [fitting(4), fitting(3)])
    assert [values(document, threshold=threshold)["association"] for threshold in (3, 4, 5)] == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="threshold must lie in"):
        score_heads(document, threshold=6)


def test_first_five_texts_count_and_missing_ones_do_not_fit() -> None:
    found = values(make(["size"] * 2, [(False,) * 5 + (True,) * 5, (True, True)]))
    assert (found["association"], found["ccs@0"], found["ccs@2"]) == (0.0, 0.5, 0.5)


def test_chance_is_the_mean_over_shuffles() -> None:
    rng = np.random.default_rng(0)
    own, *shuffled = (tuple(map(tuple, (rng.random((40, 5)) < chance).tolist())) for chance in (0.8, 0.3, 0.3))
    scores = score_heads(make(["size"] * 40, own, shuffled))
    found = {metric["name"]: metric["value"] for metric in scores["metrics"]}
    counts = np.array([np.sum(fits, axis=1) for fits in shuffled])
    assert found["association_shuffled"] == pytest.approx((counts >= 3).mean())
    assert found["concept_consistency_shuffled"] == pytest.approx(counts.mean())
    controls = {entry["metric"]: entry for entry in scores["controls"]}
    assert set(controls) == {"association", "concept_consistency"}
    for name, entry in controls.items():
        assert entry["difference"] == pytest.approx(found[name] - found[f"{name}_shuffled"])
        assert entry["interval"][0] < entry["difference"] < entry["interval"][1]
        assert (entry["control"], entry["explainer"], entry["n"], entry["separates"]) == ("shuffled", None, 40, True)


def test_labels_no_better_than_chance_do_not_separate() -> None:
    fits = [fitting(place % 6) for place in range(48)]
    scores = score_heads(make(["size"] * 48, fits, [fits[::-1]]))
    assert [entry["separates"] for entry in scores["controls"]] == [False, False]


def test_labels_that_were_not_judged_have_entanglement_alone() -> None:
    scores = score_heads(make(["size", "size"], [None, None], [[None, None]]))
    assert [metric["name"] for metric in scores["metrics"]] == ["entanglement", "entanglement_any"]
    assert scores["controls"] == []


def test_what_is_missing_is_counted_by_reason() -> None:
    fallbacks = score_heads(make(["size", None, None], [fitting(2), None, None]))["fallbacks"]
    assert fallbacks == {"labels": {"refused": 2}, "judgements": {"cut off": 2}}


def test_no_high_head_has_no_ratio() -> None:
    assert "concept_consistency_ratio" not in values(make(["size"], [fitting(4)]))
    with pytest.raises(ValueError, match="at least one head"):
        score_heads(make([], []))
