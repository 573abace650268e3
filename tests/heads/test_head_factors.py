from __future__ import annotations

from itertools import permutations

import pytest
import torch

from mkbench.heads.head_factors import (
    PairMoves,
    estimate_over_classes,
    find_factors,
    route_shares,
    score_labels,
    score_maps_of_parts,
    score_routes,
)
from mkbench.heads.part_maps import PartMapScores
from mkbench.metrics.functional.cluster_bootstrap import cluster_bootstrap_interval


def random_moves(images: int = 60, factors: int = 3, heads: int = 4) -> PairMoves:
    generator = torch.Generator().manual_seed(0)
    energies = torch.rand(images, factors, heads, generator=generator, dtype=torch.float64)
    along = torch.randn(images, factors, heads, generator=generator, dtype=torch.float64)
    return PairMoves(energies, along, along.sum(dim=2) + 2, torch.arange(images) // 5)


def test_planted_factor_is_found_and_noise_is_not() -> None:
    moves = random_moves()
    energies = moves.energies.clone()
    energies[:, 1:, 0] = 0
    found = find_factors(moves._replace(energies=energies))
    assert found.shares[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert found.intervals[:, 0, 0].tolist() == [1.0, 1.0]
    assert found.most[0] == found.specific[0] == 0
    above = found.shares.amax(dim=0) > found.bound
    assert above[0]
    assert int(above[1:].sum()) <= 1  # of three at the 2.5 % level
    assert bool((found.intervals[0] <= found.shares).all())
    assert bool((found.shares <= found.intervals[1]).all())


def test_specific_is_what_other_heads_write_less_of() -> None:
    energies = torch.tensor([[[6.0, 9.0], [3.0, 0.5], [1.0, 0.5]]]).expand(8, 3, 2)
    found = find_factors(PairMoves(energies, energies, energies.sum(2), torch.arange(8)))
    assert found.most.tolist() == [0, 0]
    assert found.specific.tolist() == [1, 0]


def test_permuted_labels_are_all_permutations() -> None:
    named, written = [(0,), (1, 2), (2,), ()], [0, 2, 1, 0]
    found = score_labels(named, written)
    assert found is not None
    assert (found["heads"], found["accuracy"]["value"]) == (3, pytest.approx(2 / 3))
    labelled = named[:3]
    orders = list(permutations(range(3)))
    hits = [sum(written[head] in labelled[order[head]] for head in range(3)) / 3 for order in orders]
    assert found["permuted"] == pytest.approx(sum(hits) / len(orders))
    assert found["gain"]["value"] == pytest.approx(2 / 3 - found["permuted"])


def test_one_label_for_all_heads_gains_nothing() -> None:
    found = score_labels([(0,)] * 5, [0, 0, 0, 0, 1])
    assert found is not None
    assert found["accuracy"]["value"] == found["permuted"] == pytest.approx(0.8)
    assert found["gain"]["interval"][0] <= 0 <= found["gain"]["interval"][1]
    assert score_labels([(), ()], [0, 1]) is None


def test_routes_are_shares_of_the_sums() -> None:
    moves = random_moves()
    named = [(0,), (1, 2), (), ()]
    found = score_routes(moves, named)
    assert found is not None
    along, whole = moves.along.sum(dim=0), moves.whole.sum(dim=0)
    own = along[0, 0] + (along[1, 1] + along[2, 1]) / 2
    other = (along[1, 0] + along[2, 0]) / 2 + along[0, 1]
    assert found["own"]["value"] == pytest.approx(float(own / (whole[0] + (whole[1] + whole[2]) / 2)))
    assert found["mispaired"]["value"] == pytest.approx(float(other / ((whole[1] + whole[2]) / 2 + whole[0])))
    assert found["gain"]["value"] == pytest.approx(found["own"]["value"] - found["mispaired"]["value"])
    for score in found.values():
        assert score["interval"][0] < score["value"] < score["interval"][1]
    assert score_routes(moves, [(), (), (), ()]) is None
    assert score_routes(moves, [(0, 1, 2), (), (), ()]) is None  # nothing is mispaired
    assert score_routes(moves._replace(whole=torch.zeros_like(moves.whole)), named) is None
    torch.testing.assert_close(route_shares(moves), along / whole[:, None])


def test_all_of_a_change_goes_through_a_head_that_writes_it_alone() -> None:
    along = torch.zeros(6, 2, 2)
    along[:, 0, 0], along[:, 1, 1] = 3.0, 0.5
    moves = PairMoves(along, along, along.sum(dim=2), torch.arange(6))
    found = score_routes(moves, [(0,), (1,)])
    assert found is not None
    assert [found[name]["value"] for name in ("own", "mispaired", "gain")] == [1.0, 0.0, 1.0]
    assert found["gain"]["interval"] == [1.0, 1.0]


def test_parts_are_averaged_over_those_that_an_image_has() -> None:
    nan = torch.nan
    own = torch.tensor([[0.5, nan], [0.7, 0.1]], dtype=torch.float64)
    scores = PartMapScores(own, own / 2, own - 0.1)
    found = score_maps_of_parts(scores, torch.tensor([0, 1]), ["coat", "tail"])
    assert list(found) == ["all", "coat", "tail"]
    assert found["all"]["own"]["value"] == pytest.approx((0.5 + 0.4) / 2)
    assert (found["tail"]["images"], found["tail"]["own"]["value"]) == (1, pytest.approx(0.1))
    assert found["coat"]["gain"]["value"] == pytest.approx(0.3)
    assert found["coat"]["gain_over_attention"]["interval"] == pytest.approx([0.1, 0.1])
    absent = PartMapScores(*(torch.full((2, 1), nan) for _ in range(3)))
    assert score_maps_of_parts(absent, torch.tensor([0, 1]), ["coat"]) == {}


def test_intervals_are_over_classes_where_there_are_several() -> None:
    values, classes = torch.arange(6.0), torch.tensor([0, 0, 1, 1, 2, 2])
    assert estimate_over_classes(values, classes)["interval"] == pytest.approx(
        [*cluster_bootstrap_interval(values, classes)]
    )
    low, high = estimate_over_classes(values, torch.zeros(6, dtype=torch.int64))["interval"]
    assert 0 <= low < 2.5 < high <= 5
