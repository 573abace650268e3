"""How often attention heads share a label."""

import random
from collections.abc import Sequence

import pytest
import torch

from mkbench.metrics import Entanglement
from mkbench.metrics.functional import entanglement, entanglement_interval, matching_labels


def count_in_turn(labels: Sequence[str], *, anywhere: bool) -> float:
    """The definition in words: walk through the heads and look for the label in the heads before, or in all others."""
    found = 0
    for place, label in enumerate(labels):
        others = [*labels[:place], *(labels[place + 1 :] if anywhere else [])]
        shorter = [other[: len(label)] == label or label[: len(other)] == other for other in others if other and label]
        found += any(shorter)
    return found / len(labels)


@pytest.mark.parametrize("seed", range(20))
def test_matches_a_walk_through_the_heads(seed: int) -> None:
    rng = random.Random(seed)
    labels = ["".join(rng.choices("ab", k=rng.randint(0, 4))) for _ in range(rng.randint(1, 30))]
    assert entanglement(labels) == pytest.approx(count_in_turn(labels, anywhere=False), abs=1e-15)
    assert entanglement(labels, mode="any") == pytest.approx(count_in_turn(labels, anywhere=True), abs=1e-15)


def test_values_worked_out_by_hand() -> None:
    # locations repeats location (one begins the other), colour repeats colour: 2 of 5. With any, all four but shape.
    labels = ["location", "colour", "shape", "locations", "colour"]
    assert entanglement(labels) == 0.4
    assert entanglement(labels, mode="any") == 0.8


def test_order_matters_where_matching_is_not_transitive() -> None:
    assert entanglement(["a", "ab", "ac"]) == pytest.approx(2 / 3)  # both begin with the first
    assert entanglement(["ab", "ac", "a"]) == pytest.approx(1 / 3)  # only the last begins one before it


@pytest.mark.parametrize("mode", ["earlier", "any"])
def test_degenerate_sets(mode: str) -> None:
    assert entanglement(["shape"], mode=mode) == 0
    assert entanglement([""] * 3, mode=mode) == 0  # heads without a label share none
    assert entanglement(["", "shape", "a"], mode=mode) == 0  # nor does "" begin every label
    assert entanglement(["shape"] * 4, mode=mode) == (0.75 if mode == "earlier" else 1.0)
    with pytest.raises(ValueError, match="at least one head, found none"):
        entanglement([], mode=mode)


def test_matches_are_symmetric_and_never_with_itself() -> None:
    matches = matching_labels(["art", "artist", "", "party", "art"])
    assert torch.equal(matches, matches.T)
    assert matches.int().sum(1).tolist() == [2, 2, 0, 0, 2]
    assert matching_labels([]).shape == (0, 0)


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="mode must be one of earlier, any, found 'later'"):
        entanglement(["shape"], mode="later")
    with pytest.raises(ValueError, match="found 'later'"):
        Entanglement("later")


@pytest.mark.parametrize("mode", ["earlier", "any"])
def test_interval_matches_samples_written_out(mode: str) -> None:
    labels = ["a", "b", "ab", "c", "b", "", "d", "a"]
    drawn = torch.randint(8, (300, 8), generator=torch.Generator().manual_seed(3))
    shares = []
    for sample in drawn.sort(dim=1).values.tolist():
        # A copy stands beside its original: both see the same other heads.
        kinds = sorted(set(sample))
        entangled = {
            head
            for head in kinds
            if any(
                labels[other]
                and labels[head]
                and (labels[head].startswith(labels[other]) or labels[other].startswith(labels[head]))
                for other in kinds
                if other < head or (mode == "any" and other != head)
            )
        }
        shares.append(sum(head in entangled for head in sample) / 8)
    samples = torch.tensor(shares, dtype=torch.float64)
    moved = samples - samples.mean() + entanglement(labels, mode=mode)
    expected = torch.quantile(moved, torch.tensor([0.05, 0.95], dtype=torch.float64)).clamp(0, 1)
    interval = entanglement_interval(labels, mode=mode, level=0.9, resamples=300, seed=3)
    assert interval == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize("kinds", [2, 12, 40])
def test_interval_holds_the_share(kinds: int) -> None:
    rng = random.Random(kinds)
    labels = [f"label {rng.randrange(kinds):02}" for _ in range(48)]
    narrow, wide = (entanglement_interval(labels, level=level) for level in (0.5, 0.95))
    assert wide[0] < narrow[0] < entanglement(labels) < narrow[1] <= wide[1]
    assert entanglement_interval(labels) == wide
    assert entanglement_interval(labels, seed=1) != wide


def test_interval_of_degenerate_sets() -> None:
    assert entanglement_interval(["shape"]) == (0, 0)
    # Copies of a head are not the same label twice: without shared labels the share is 0 in every sample.
    assert entanglement_interval([f"{number:02}" for number in range(48)]) == (0, 0)
    assert entanglement_interval(["shape"] * 9, mode="any")[1] == 1
    with pytest.raises(ValueError, match="at least one head"):
        entanglement_interval([])
    with pytest.raises(ValueError, match=r"0 < level < 1 and resamples >= 1, found 95 and 10"):
        entanglement_interval(["shape"], level=95, resamples=10)


@pytest.mark.parametrize("mode", ["earlier", "any"])
def test_class_equals_function_however_heads_arrive(mode: str) -> None:
    labels = ["ab", "ac", "a", "Größe", "größe", "", "a", "Gr"]
    in_turn = Entanglement(mode)
    for start, stop in ((0, 1), (1, 1), (1, 5), (5, 8)):
        in_turn.update(labels[start:stop])
    assert in_turn.labels() == labels
    mixed = Entanglement(mode)
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    mixed.update([labels[place] for place in order], heads=order)
    for metric in (in_turn, mixed):
        assert float(metric.compute()) == entanglement(labels, mode=mode)
        assert metric.higher_is_better is False
    mixed.reset()
    assert mixed.labels() == []


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_class_without_heads_is_nan() -> None:
    metric = Entanglement()
    metric.update([])
    assert torch.isnan(metric.compute())


def test_class_refuses_what_is_ambiguous() -> None:
    metric = Entanglement(max_heads=4)
    metric.update(["shape", "colour"], heads=[0, 2])
    with pytest.raises(ValueError, match="a number used twice"):
        metric.update(["size"], heads=[2])
    with pytest.raises(ValueError, match=r"2 different numbers of heads, found \[1, 1\]"):
        metric.update(["size", "size"], heads=[1, 1])
    with pytest.raises(ValueError, match=r"1 different numbers of heads, found \[1, 3\]"):
        metric.update(["size"], heads=[1, 3])
    with pytest.raises(ValueError, match=r"0\.\.3, found 3\.\.4: raise the argument max_heads"):
        metric.update(["size", "size"])
    with pytest.raises(ValueError, match="at most 512 bytes without zeros"):
        metric.update(["ö" * 257])
    with pytest.raises(ValueError, match="without zeros"):
        metric.update(["a\0"])
    with pytest.raises(ValueError, match="max_heads must be at least 1"):
        Entanglement(max_heads=0)
    assert metric.labels() == ["shape", "colour"]  # as it was
    # What two processes that count for themselves add up to.
    metric.given += torch.tensor([1.0, 0, 0, 0])
    with pytest.raises(ValueError, match="give each head its own"):
        metric.compute()
