from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mkbench.errors import UsageError
from mkbench.studies.head_pruning.choice import PruningOptions, choose_sets, split_by_consistency

SCORES = {(3, 1): 5, (2, 1): 1, (2, 0): 0, (3, 0): 3}


def write_labels(folder: Path, scores: dict[tuple[int, int], int | None]) -> None:
    heads = [
        {"layer": layer, "head": head, "label": "fur", "fits": None if n is None else [True] * n + [False] * (5 - n)}
        for (layer, head), n in scores.items()
    ]
    (folder / "labels.json").write_text(json.dumps({"heads": heads}))


@pytest.mark.parametrize(
    ("options", "high", "low"),
    [
        ({}, ((3, 1),), ((2, 0), (2, 1))),
        ({"high": 3, "low": 0}, ((3, 0), (3, 1)), ((2, 0),)),
        ({"high": 4, "low": 3}, ((3, 1),), ((2, 0), (2, 1), (3, 0))),
    ],
)
def test_heads_from_and_up_to_a_score(options: dict[str, int], high: Any, low: Any) -> None:
    assert split_by_consistency(SCORES, PruningOptions(**options)) == {"high": high, "low": low}


def test_one_set_may_be_empty_and_both_may_not() -> None:
    rest = {head: score for head, score in SCORES.items() if score < 5}
    assert split_by_consistency(rest, PruningOptions())["high"] == ()
    held = r"with a CCS of 5 or a CCS of 1 or less, found those with a CCS of 2 \(1\), 4 \(2\) .*--high or --low"
    with pytest.raises(UsageError, match=held):
        split_by_consistency({(0, 0): 4, (0, 1): 2, (1, 0): 4}, PruningOptions())


def test_scores_come_from_the_labels_of_the_run(tmp_path: Path) -> None:
    write_labels(tmp_path, {**SCORES, (2, 2): None})  # a head that was not judged has 0, as in the metrics
    sets = choose_sets(tmp_path, PruningOptions(), layers=range(4), num_heads=3)
    assert sets == {"high": ((3, 1),), "low": ((2, 0), (2, 1), (2, 2))}
    with pytest.raises(UsageError, match=r"of the layers 2 and the heads 0 to 2, found 3\.1"):
        choose_sets(tmp_path, PruningOptions(), layers=[2], num_heads=3)
    write_labels(tmp_path, dict.fromkeys(SCORES))
    with pytest.raises(UsageError, match=r"whose texts were judged .* found none; run `mkbench heads"):
        choose_sets(tmp_path, PruningOptions(), layers=range(4), num_heads=3)


def test_heads_by_hand_need_no_labels(tmp_path: Path) -> None:
    options = PruningOptions(heads=((3, 1), (0, 2)))
    assert choose_sets(tmp_path, options, layers=range(4), num_heads=3) == {"chosen": ((0, 2), (3, 1))}
    assert options.described == {"chosen": "the chosen heads"}
    with pytest.raises(UsageError, match=r"heads 0 to 1, found 0\.2"):
        choose_sets(tmp_path, options, layers=range(4), num_heads=2)
    with pytest.raises(UsageError, match=r"run `mkbench heads .*` first"):
        choose_sets(tmp_path, PruningOptions(), layers=range(4), num_heads=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high": 1}, "Expected --low below --high, both of 0 to 5, found 1 and 1"),
        ({"high": 6}, "found 1 and 6"),
        ({"low": -1}, "found -1 and 5"),
        ({"heads": ((0, 0),), "low": 0}, "Expected either --heads or --high and --low, found both"),
        ({"heads": ((0, 0), (0, 0))}, "Expected every head once"),
        ({"seeds": 0}, "Expected --seeds of 1 or more, found 0"),
        ({"images_per_class": 0}, "Expected --images-per-class of 1 or more, found 0"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PruningOptions(**options)
