from __future__ import annotations

import pytest
import torch

from mkbench.heads.concept_head_losses import class_losses, compare_losses
from mkbench.metrics.functional.cluster_bootstrap import cluster_bootstrap_interval

HEADS, CLASSES, PER_LAYER = 6, 5, 3


def losses() -> torch.Tensor:
    return torch.randn(HEADS, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_losses_are_means_over_the_images_of_a_class() -> None:
    full, without = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([[0.0, 2.0, 1.0, 4.0], [1.0, 2.0, 3.0, 6.0]])
    found = class_losses(full, without, torch.tensor([7, 2, 7, 9]), [2, 7])
    assert found.tolist() == [[0.0, 1.5], [0.0, 0.0]]  # the class 9 is not asked for


def test_comparisons_head_by_head_and_class_by_class() -> None:
    table, heads = losses(), [0, 4, 4, 1, 5]
    own, others, random, interaction = [], [], [], []
    for place, head in enumerate(heads):
        rest = [other for other in range(CLASSES) if other != place]
        layer = [other for other in range(HEADS) if other // PER_LAYER == head // PER_LAYER and other != head]
        own.append(table[head, place])
        others.append(table[head, rest].mean())
        random.append(table[layer, place].mean())
        elsewhere = torch.stack([table[other, rest].mean() for other in layer]).mean()
        interaction.append(own[-1] - others[-1] - (random[-1] - elsewhere))
    mine, theirs, matched, both = (torch.stack(values) for values in (own, others, random, interaction))
    expected = {
        "own": mine,
        "others": theirs,
        "random": matched,
        "more_than_others": mine - theirs,
        "more_than_random": mine - matched,
        "interaction": both,
    }
    found = compare_losses(table, heads, num_heads=PER_LAYER)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name]["value"] == pytest.approx(float(values.mean()))
        assert found[name]["interval"] == pytest.approx([*cluster_bootstrap_interval(values, torch.arange(CLASSES))])


def test_a_class_that_alone_needs_its_head() -> None:
    table, heads = torch.zeros(HEADS, CLASSES, dtype=torch.float64), [0, 1, 2, 3, 4]
    table[heads, range(CLASSES)] = 2.0
    found = compare_losses(table, heads, num_heads=PER_LAYER)
    assert found["own"]["interval"] == found["more_than_others"]["interval"] == [2.0, 2.0]
    assert found["interaction"]["interval"][0] > 2.0  # others of the layer are concept heads of the other classes


def test_a_head_that_all_need_and_a_class_that_any_head_harms_have_no_interaction() -> None:
    table = torch.arange(HEADS)[:, None] + 10.0 * torch.arange(CLASSES)[None]
    found = compare_losses(table.double(), [2, 2, 5, 5, 2], num_heads=PER_LAYER)
    assert found["interaction"]["value"] == pytest.approx(0.0)
    assert found["interaction"]["interval"] == pytest.approx([0.0, 0.0])
    assert found["more_than_random"]["value"] == pytest.approx(1.5)  # the best head of its layer


@pytest.mark.parametrize(("classes", "heads"), [(1, 2), (3, 1)])
def test_nothing_to_compare_with_is_refused(classes: int, heads: int) -> None:
    with pytest.raises(ValueError, match="two classes and two heads of a layer at least"):
        compare_losses(torch.zeros(4, classes), [0] * classes, num_heads=heads)
