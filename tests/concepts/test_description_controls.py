"""Descriptors of other classes, and words at random."""

from collections import Counter
from itertools import chain

import pytest

from mkbench.concepts.description_controls import random_words, shuffle_descriptors

OWN = [["wings", "beak", "large eyes"], ["wheels", "doors"], [], ["wings", "a long tail"], ["leaves"]]


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_descriptors_are_those_of_other_classes(seed: int) -> None:
    dealt = shuffle_descriptors(OWN, seed=seed)
    assert [len(one) for one in dealt] == [len(one) for one in OWN]
    assert Counter(chain.from_iterable(dealt)) == Counter(chain.from_iterable(OWN))
    assert not any(set(own) & set(other) for own, other in zip(OWN, dealt, strict=True))
    assert shuffle_descriptors(OWN, seed=seed) == dealt


def test_other_seeds_deal_otherwise() -> None:
    assert len({tuple(shuffle_descriptors(OWN, seed=seed)) for seed in range(10)}) > 5
    assert len({tuple(random_words(OWN, seed=seed)) for seed in range(10)}) == 10


def test_descriptor_of_every_class_can_only_stay() -> None:
    assert shuffle_descriptors([["wings"], ["wings"]]) == [("wings",), ("wings",)]
    assert shuffle_descriptors([[1, 2]]) in ([(1, 2)], [(2, 1)])
    assert shuffle_descriptors([[], []]) == [(), ()]


def test_random_words_have_the_lengths_and_words_of_the_descriptors() -> None:
    drawn = random_words(OWN, seed=3)
    lengths = [[len(text.split()) for text in of_class] for of_class in OWN]
    assert [[len(text.split()) for text in of_class] for of_class in drawn] == lengths
    known = {word for of_class in OWN for text in of_class for word in text.split()}
    assert {word for of_class in drawn for text in of_class for word in text.split()} <= known
    assert random_words([[], []]) == [(), ()]


def test_frequent_words_are_drawn_as_frequently() -> None:
    drawn = random_words([["red"] * 300, ["blue"] * 100], seed=0)
    share = Counter(chain.from_iterable(drawn))["red"] / 400
    assert 0.68 < share < 0.82  # 0.75, three standard deviations of sqrt(0.75 * 0.25 / 400) = 0.022
