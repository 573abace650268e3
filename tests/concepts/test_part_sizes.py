from __future__ import annotations

import pytest

from mkbench.concepts import AttentionRollout, PartsExplainer, RandomParts, SaliencyParts

SIZES = {"num_parts": 7, "topk": 2, "pool": 40}


@pytest.mark.parametrize(
    "explainer",
    [PartsExplainer("kmeans"), RandomParts(), SaliencyParts(AttentionRollout())],
    ids=lambda explainer: explainer.name,
)
def test_sizes_of_a_run_are_taken_where_none_is_given(explainer: PartsExplainer) -> None:
    plain = explainer.settings()
    assert {name: plain[name] for name in SIZES} == {"num_parts": 5, "topk": 3, "pool": 500}
    sized = explainer.sized(**SIZES)
    assert sized.settings() == plain | SIZES
    assert (type(sized), sized.name, sized.max_concepts) == (type(explainer), explainer.name, 14)
    assert explainer.settings() == plain  # the given one may serve in another run


def test_own_sizes_stay() -> None:
    sized = PartsExplainer(topk=1, pool=500).sized(**SIZES)
    assert (sized.num_parts, sized.topk, sized.pool) == (7, 1, 500)


def test_a_size_that_an_explainer_does_not_have_is_not_made() -> None:
    class Whole(PartsExplainer):
        def __init__(self) -> None:
            super().__init__(num_parts=1, topk=1, pool=1)

    assert Whole().sized(**SIZES).settings() == Whole().settings()


def test_sizes_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match="topk must be at least 1, found 0"):
        PartsExplainer().sized(topk=0)
    with pytest.raises(ValueError, match="pool must be at least 1, found -3"):
        RandomParts(pool=-3)
