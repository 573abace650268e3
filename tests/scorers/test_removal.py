from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from toy_context import ALL, CLASSES, NONE, ONE, encode, make_context

from mkbench.datamodules.ground_truth import GroupGroundTruth
from mkbench.errors import UsageError
from mkbench.metrics.functional.removal_sequence import (
    correctness_curve,
    removal_images,
    removal_order,
    score_curve,
)
from mkbench.scorers import Removal, ScorerContext
from mkbench.scorers.removal import _reverse


def by_hand(context: ScorerContext, image: int, mode: Any, *, backwards: bool) -> tuple[list[float], list[bool]]:
    """One image at a time, from the functions that take one image."""
    explanation = context.explanation
    own = explanation.present[image].nonzero().flatten()
    first = explanation.descriptor_ids[image, own, 0]
    order = removal_order(context.image_embedding[image], explanation.part_embeddings[image, own], context.bare[first])
    rendered = removal_images(
        context.group.images[image],
        explanation.part_pixels[image, own],
        order.flip(0) if backwards else order,
        mode=mode,
    )
    embeddings = encode(rendered)
    scores = score_curve(embeddings, context.classes[context.predicted[image]])
    return scores.tolist(), correctness_curve(embeddings, context.classes, 1).tolist()


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
@pytest.mark.parametrize("backwards", [False, True])
def test_batch_equals_one_image_at_a_time(mode: Any, backwards: bool) -> None:
    context = make_context([ALL, ONE, [True, False, True], ALL] * 5)  # more images than are rendered at once
    columns = Removal().score(context)
    suffix = "_reversed" if backwards else ""
    for image in range(20):
        scores, correct = by_hand(context, image, mode, backwards=backwards)
        assert columns[f"{mode}_scores{suffix}"][image] == pytest.approx(scores, abs=1e-6)
        assert columns[f"{mode}_correct{suffix}"][image] == correct
    assert len({tuple(curve) for curve in columns[f"{mode}_scores{suffix}"]}) == 20


def test_image_without_parts_has_no_value() -> None:
    columns = Removal().score(make_context([NONE, ALL]))
    assert [curves[0] for curves in columns.values()] == [None] * 8
    assert [len(curves[1]) for curves in columns.values()] == [4] * 8
    assert set(map(tuple, Removal().score(make_context([NONE] * 2)).values())) == {(None, None)}
    # Deletion starts with the image itself, insertion with all of it blurred.
    assert columns["deletion_scores"][1][0] != columns["insertion_scores"][1][0]


def test_one_part_reads_the_same_in_both_orders() -> None:
    columns = Removal().score(make_context([ONE]))
    assert columns["deletion_scores"] == columns["deletion_scores_reversed"]


def test_part_without_a_descriptor_goes_last() -> None:
    ids = torch.tensor([[[-1, -1], [3, -1], [4, 5]]])
    context = make_context([ALL], ids=ids)
    scores = Removal(reversed_control=False).score(context)["deletion_scores"][0]
    only_two = torch.tensor([1, 2])
    order = only_two[
        removal_order(
            context.image_embedding[0], context.explanation.part_embeddings[0, only_two], context.bare[[3, 4]]
        )
    ]
    rendered = removal_images(
        context.group.images[0], context.explanation.part_pixels[0], torch.cat([order, torch.tensor([0])])
    )
    expected = score_curve(encode(rendered), context.classes[context.predicted[0]])
    assert scores == pytest.approx(expected.tolist(), abs=1e-6)


def test_equal_classes_are_decided_for_the_first() -> None:
    context = make_context([ALL], class_index=0)
    context = replace(context, classes=context.classes[:1].expand(CLASSES, -1))
    assert Removal().score(context)["deletion_correct"] == [[True] * 4]


def test_without_labels_there_is_no_correctness() -> None:
    columns = Removal().score(make_context([ALL, ONE], class_index=None))
    assert columns["deletion_correct"] == columns["insertion_correct_reversed"] == [None, None]
    assert len(columns["deletion_scores"]) == 2


@pytest.mark.parametrize("control", [False, True])
def test_columns_are_those_announced(control: bool) -> None:
    scorer = Removal(reversed_control=control)
    assert list(scorer.score(make_context([ALL]))) == list(scorer.columns)
    assert scorer.settings() == {"reversed_control": control}


def test_reversal_keeps_absent_parts_at_the_end() -> None:
    order = torch.tensor([[2, 0, 1], [1, 2, 0], [0, 1, 2]])
    assert _reverse(order, torch.tensor([3, 2, 0])).tolist() == [[1, 0, 2], [2, 1, 0], [0, 1, 2]]


# -- exact removal ---------------------------------------------------------------------------------------------------


def with_scene(context: ScorerContext, scene: torch.Tensor) -> ScorerContext:
    return replace(context, group=replace(context.group, ground_truth=GroupGroundTruth(len(scene), scene=scene)))


def test_exact_removal_takes_the_part_away() -> None:
    """A planted case: the object lies in the columns of part 1, and the scene is the same everywhere else."""
    context = make_context([ONE] * 3)
    scene = context.group.images.clone()
    scene[..., 8:16] = 0
    context = with_scene(context, scene)
    columns = Removal(exact=True).score(context)
    classes = context.classes[context.predicted]
    whole, empty = (score_curve(encode(images)[:, None], classes)[:, 0] for images in (context.group.images, scene))
    for image in range(3):
        expected = [whole[image].item(), empty[image].item()]
        assert columns["exact_deletion_scores"][image] == pytest.approx(expected, abs=1e-6)
        assert columns["exact_insertion_scores"][image] == pytest.approx(expected[::-1], abs=1e-6)
    assert columns["exact_deletion_scores"] != Removal().score(context)["deletion_scores"]  # some of it is left there


def test_exact_removal_of_parts_of_the_scene_changes_nothing() -> None:
    context = make_context([ALL])
    columns = Removal(exact=True).score(with_scene(context, context.group.images))
    for mode in ("deletion", "insertion"):
        (curve,) = columns[f"exact_{mode}_scores"]
        assert curve == pytest.approx([curve[0]] * 4, abs=1e-12)


def test_both_removals_have_columns_of_their_own() -> None:
    exact, blurred = Removal(exact=True), Removal()
    assert (exact.name, blurred.name) == ("exact_removal", "removal")
    assert [f"exact_{name}" for name in blurred.columns] == list(exact.columns)
    assert (exact.needs_ground_truth, blurred.needs_ground_truth) == (True, False)


def test_exact_removal_needs_the_scene() -> None:
    with pytest.raises(UsageError, match=r"for exact removal, found none in the group 00001-000; use Critters"):
        Removal(exact=True).score(make_context([ALL]))
