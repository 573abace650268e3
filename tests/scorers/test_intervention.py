"""Explainers whose answer to a change is known: the one that knows the truth scores 1, one at random its chance."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from toy_context import ALL, BANK, PARTS, SIDE, make_context

from mkbench.concepts import GroupExplanation, VisionConcepts
from mkbench.datamodules import ClassGroup
from mkbench.datamodules.ground_truth import GroupGroundTruth
from mkbench.errors import UsageError
from mkbench.scorers import InterventionScorer, ScorerContext
from mkbench.scorers.explained_group import ExplainedGroup

IMAGES = 40
CHANGED = ("tail", "background", "hat")  # a hat: a factor that Critters do not have


def naming(explanation: GroupExplanation, named: Tensor) -> GroupExplanation:
    """The same parts, with other descriptors."""
    ids = torch.where(named, torch.arange(BANK), BANK).sort(dim=1).values
    vision = VisionConcepts(torch.where(ids < BANK, ids, -1), torch.zeros(len(ids), BANK), named.sum(dim=1))
    return replace(explanation, vision=vision)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class World:
    """Images that differ from each other in the columns of one part, and what is true of them."""

    def __init__(self) -> None:
        self.context = make_context([ALL] * IMAGES)
        self.before = draw(0, IMAGES, BANK) > 0.5
        self.after = self.before[:, None] ^ (draw(1, IMAGES, len(CHANGED), BANK) > 0.7)
        self.regions = torch.zeros(IMAGES, len(CHANGED), SIDE, SIDE, dtype=torch.bool)
        for factor in range(PARTS):
            self.regions[:, factor, :, factor * 8 : factor * 8 + 8] = True
        images = self.context.group.images[:, None]
        self.images = torch.where(self.regions[:, :, None], 255 - images, images)

    def context_of(self, before: Tensor, after: Tensor, *, moved_parts: bool = False) -> ScorerContext:
        """An explainer that names these, (B, D) and (B, F, D) bool; its part of what is changed goes, or none does."""
        known = GroupGroundTruth(
            IMAGES,
            descriptors=self.before,
            descriptor_parts=torch.zeros(BANK, dtype=torch.int64),
            factors=CHANGED,
            changed_images=self.images,
            changed_pixels=self.regions,
            changed_descriptors=self.after,
        )
        group = replace(self.context.group, ground_truth=known)

        def explain_again(group: ClassGroup, seed: int) -> ExplainedGroup:
            (factor,) = [number for number in range(len(CHANGED)) if torch.equal(group.images, self.images[:, number])]
            assert group.ground_truth is not None
            assert group.ground_truth.descriptors is not None
            assert torch.equal(group.ground_truth.descriptors, self.after[:, factor])
            explanation = naming(self.context.explanation, after[:, factor])
            if moved_parts:
                pixels = explanation.part_pixels & ~self.regions[:, factor, None]
                explanation = replace(explanation, part_pixels=pixels)
            return ExplainedGroup(explanation, *[torch.zeros(0)] * 4)

        explanation = naming(self.context.explanation, before)
        return replace(self.context, group=group, explanation=explanation, explain_again=explain_again)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def mean(columns: dict[str, list[float | None]], name: str) -> float:
    known = [value for value in columns[name] if value is not None]
    return sum(known) / len(known) if known else math.nan


def test_explainer_that_knows_the_truth_scores_one(world: World) -> None:
    columns = InterventionScorer().score(world.context_of(world.before, world.after))
    assert set(columns) == set(InterventionScorer().columns)
    for name in ("intervention_j", "intervention_hit_rate", "intervention_direction", "intervention_j_tail"):
        assert {value for value in columns[name] if value is not None} == {1.0}  # None: nothing that is true changes
    assert columns["intervention_false_alarm"] == [0.0] * IMAGES
    assert abs(mean(columns, "intervention_j_mispaired")) < 0.1
    assert columns["intervention_j_colour"] == [None] * IMAGES  # not changed


def test_explainer_that_turns_the_truth_around_scores_below_its_chance(world: World) -> None:
    columns = InterventionScorer().score(world.context_of(~world.before, ~world.after))
    assert columns["intervention_direction"] == [0.0] * IMAGES
    assert columns["intervention_hit_rate"] == [0.0] * IMAGES
    assert columns["intervention_j"] == [0.0] * IMAGES  # it is right about what stays
    assert mean(columns, "intervention_j_mispaired") < -0.2


def test_random_explainer_scores_its_chance(world: World) -> None:
    before, after = draw(2, IMAGES, BANK) > 0.7, draw(3, IMAGES, len(CHANGED), BANK) > 0.7
    columns = InterventionScorer().score(world.context_of(before, after))
    # Drawn anew with p = 0.3: p (1 - p) for a change in the right direction, twice that for a change at all.
    assert mean(columns, "intervention_j") == pytest.approx(-0.21, abs=0.06)
    assert mean(columns, "intervention_direction") == pytest.approx(0.5, abs=0.08)
    assert mean(columns, "intervention_j") == pytest.approx(mean(columns, "intervention_j_mispaired"), abs=0.05)


def test_explainer_that_never_changes_scores_nothing(world: World) -> None:
    before = draw(4, IMAGES, BANK) > 0.5
    columns = InterventionScorer().score(world.context_of(before, before[:, None].expand_as(world.after)))
    assert columns["intervention_j"] == [0.0] * IMAGES
    assert columns["intervention_direction"] == [None] * IMAGES


def test_focus_is_largest_where_the_part_alone_changes(world: World) -> None:
    columns = InterventionScorer().score(world.context_of(world.before, world.after, moved_parts=True))
    # A third of the area, in which lies what importance of the other parts does not change by itself.
    assert mean(columns, "intervention_focus") > 1.2
    assert mean(columns, "intervention_focus_mispaired") < 0.9


def test_score_auc_is_of_embeddings_alone(world: World) -> None:
    one, other = (
        InterventionScorer().score(world.context_of(*named))["intervention_score_auc"]
        for named in ((world.before, world.after), (~world.before, ~world.after))
    )
    assert one == other
    assert all(value is not None and 0 <= value <= 1 for value in one)


def test_data_without_changes_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match=r"in the group 00001-000; use Critters and give --data\.intervention"):
        InterventionScorer().score(world.context)


def test_context_that_cannot_explain_again(world: World) -> None:
    context = replace(world.context_of(world.before, world.after), explain_again=None)
    with pytest.raises(ValueError, match="context must have explain_again for interventions, found None"):
        InterventionScorer().score(context)
