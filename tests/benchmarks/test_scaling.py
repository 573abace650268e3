from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.scaling import (
    CostModel,
    GroupCost,
    check,
    draw_costs,
    fit_costs,
    group_sets,
    main,
    run_share,
    share_out,
    simulate,
    tabulate,
)


@pytest.mark.parametrize(("groups", "ranks"), [(10, 1), (10, 3), (3, 8)])
def test_every_group_has_one_device(groups: int, ranks: int) -> None:
    shared = [number for rank in range(ranks) for number in share_out(groups, ranks, rank)]
    assert sorted(shared) == list(range(groups))


def test_simulation_by_hand() -> None:
    # Device 0 has the groups 0 and 2, 4 + 1 s; device 1 has 1 and 3, 2 s. 7 s of work in 2 x 5 s.
    found = simulate(np.array([4.0, 1.0, 1.0, 1.0]), 2)
    assert found == pytest.approx({"seconds": 5, "faster": 1.4, "balance": 0.7, "idle": 0.3})
    # Of eight devices four have nothing to do, and three more wait for the first.
    assert simulate(np.array([4.0, 1.0, 1.0, 1.0]), 8) == pytest.approx(
        {"seconds": 4, "faster": 1.75, "balance": 7 / 32, "idle": 25 / 32}
    )


def test_costs_of_no_image_are_never_negative() -> None:
    model = fit_costs([1, 2, 3], [0.5, 2.0, 3.5])  # the line would begin at -1
    assert model.fixed == 0
    assert model.per_image == pytest.approx((0.5 + 4 + 10.5) / 14)


def test_drawn_costs_have_the_measured_factors() -> None:
    model = CostModel(1.0, 2.0, np.array([0.5, 1.5]))
    costs = draw_costs(model, np.full(200, 10.0))
    assert sorted(set(costs.tolist())) == [10.5, 31.5]
    assert costs.tolist() == draw_costs(model, np.full(200, 10.0)).tolist()


def test_group_sets_are_as_large_as_the_data_sets() -> None:
    totals = {name: images.sum() for name, images in group_sets().items()}
    assert totals["ImageNet, validation"] == 50_000
    assert totals["ImageNet, training"] == pytest.approx(1_281_167, rel=0.01)
    assert totals["ImageNet-21k"] == pytest.approx(14_197_122, rel=0.01)
    assert totals["LAION-400M"] == 400_000_000


def test_a_share_is_explained_and_timed(tiny_model: Path) -> None:
    found = run_share(1, 2, f"local-dir:{tiny_model}", 3, 4, threading.Barrier(1))
    assert [cost.group for cost in found] == [1, 3]
    assert [cost.images for cost in found] == [3, 1]  # 1 + 5 n mod 3 images of class n
    assert all(cost.seconds > 0 and cost.cpu_seconds > 0 for cost in found)


def test_prediction_beside_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(ranks: int, *_: object) -> list[list[GroupCost]]:
        costs = [GroupCost(number, 1, seconds, 2 * seconds) for number, seconds in enumerate([4.0, 1.0, 1.0, 1.0])]
        # Two processes beside each other are slower by a tenth.
        slower = [cost._replace(seconds=1.1 * cost.seconds) for cost in costs]
        return [costs] if ranks == 1 else [slower[::2], slower[1::2]]

    monkeypatch.setattr(scaling, "run_processes", run)
    assert check("any", 1, 4, 3) == [
        {"clock": "seconds", "predicted": 5.0, "measured": 5.5, "off": 0.1},
        {"clock": "cpu_seconds", "predicted": 10.0, "measured": 10.0, "off": 0.0},
    ]


def test_printed_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    costs = [GroupCost(number, images, 0.0, 1.0 + images) for number, images in enumerate([1, 2, 4])]
    monkeypatch.setattr(scaling, "run_processes", lambda *_: [costs])
    monkeypatch.setattr(scaling, "group_sets", lambda: {"small": np.full(3, 3599.0)})
    assert main(["--ranks", "1", "2", "--json"]) == 0
    model = fit_costs([1, 2, 4], [2.0, 3.0, 5.0])
    rows = json.loads(capsys.readouterr().out)
    assert rows == tabulate(model, {"small": np.full(3, 3599.0)}, [1, 2])
    assert [row["hours"] for row in rows] == [3, 2]
    assert rows[1]["balance"] == 0.75
