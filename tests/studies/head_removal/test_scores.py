from __future__ import annotations

import pytest
import torch

from mkbench.studies.head_removal.scores import ALL, RANDOM, WITHOUT, HeadSets, ImageGroups, compare_sets

SETS = HeadSets({ALL: ((),), WITHOUT: (((3, 1),),), RANDOM: (((3, 0),), ((3, 2),))}, ((3, 0), (3, 1)))
NAMES = ("land on land", "land on water")


@pytest.fixture
def compared() -> dict[str, list[dict[str, object]]]:
    """Four images a group; group 1 has 1 of 4 right by all heads, 3 without the chosen one, 0 and 2 at random."""
    right = [[4, 1], [3, 3], [4, 0], [4, 2], [4, 4], [0, 0]]
    rows = [[index < number for number in pair for index in range(4)] for pair in right]
    groups = torch.tensor([0] * 4 + [1] * 4)
    return compare_sets(torch.tensor(rows), ImageGroups(NAMES, (True, False), groups), SETS)


def test_scores_and_changes_by_hand(compared: dict[str, list[dict[str, dict[str, dict[str, float]]]]]) -> None:
    everything, without, random = compared["sets"]
    assert [entry["name"] for entry in compared["sets"]] == [ALL, WITHOUT, RANDOM]
    values = [
        {key: entry["scores"][key]["value"] for key in ("accuracy", "balanced", "worst_group")}
        for entry in compared["sets"]
    ]
    assert values == [
        {"accuracy": 0.625, "balanced": 0.625, "worst_group": 0.25},
        {"accuracy": 0.75, "balanced": 0.75, "worst_group": 0.75},
        {"accuracy": 0.625, "balanced": 0.625, "worst_group": 0.25},
    ]
    assert without["scores"]["groups"]["land on water"]["value"] == 0.75
    assert random["scores"]["worst_group"]["range"] == [0.0, 0.5]
    assert "range" not in without["scores"]["worst_group"]
    assert "change" not in everything
    assert without["change"]["worst_group"]["value"] == 0.5
    assert without["change_from_random"]["worst_group"]["value"] == 0.5
    assert random["change"]["worst_group"]["value"] == 0.0
    assert "range" not in random["change"]["worst_group"]
    assert "change_from_random" not in random
    # Right on land less right on water: 1 - 0.25, 0.75 - 0.75, and the mean of 1 - 0 and 1 - 0.5.
    assert [entry["scores"]["gap"]["value"] for entry in compared["sets"]] == [0.75, 0.0, 0.75]
    assert without["change"]["gap"]["value"] == -0.75
    assert compared["scan"][1] == {"layer": 3, "head": 1, "accuracy": 0.0, "worst_group": 0.0}


def test_intervals_hold_their_values(compared: dict[str, list[dict[str, dict[str, dict[str, list[float]]]]]]) -> None:
    for entry in compared["sets"]:
        for scores in (entry[key] for key in ("scores", "change") if key in entry):
            for key in ("accuracy", "worst_group"):
                low, high = scores[key]["interval"]
                assert low <= scores[key]["value"] <= high  # type: ignore[operator]
    # Four of four images leave doubt about a group (Wilson); a bootstrap would have none.
    low, high = compared["sets"][0]["scores"]["groups"]["land on land"]["interval"]
    assert (low, high) == (pytest.approx(0.5101, abs=1e-4), 1.0)


def test_the_same_predictions_change_nothing_for_certain() -> None:
    row = torch.tensor([True, False, True, False, False])
    groups = ImageGroups(NAMES, (True, False), torch.tensor([0, 0, 1, 1, 1]))
    compared = compare_sets(row.repeat(6, 1), groups, SETS)
    for key in ("accuracy", "worst_group"):
        assert compared["sets"][1]["change"][key] == {"value": 0.0, "interval": [0.0, 0.0]}
    assert compared["sets"][1]["scores"]["accuracy"]["interval"][0] < 0.4


def test_one_random_set_has_no_range() -> None:
    sets = HeadSets({ALL: ((),), WITHOUT: (((3, 1),),), RANDOM: (((3, 0),),)}, ())
    compared = compare_sets(torch.ones(3, 2), ImageGroups(NAMES, (True, True), torch.tensor([0, 1])), sets)
    assert "gap" not in compared["sets"][0]["scores"]  # no image on another background
    assert "range" not in compared["sets"][2]["scores"]["accuracy"]
    assert compared["scan"] == []
