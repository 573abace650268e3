from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mkbench.concepts import GroupExplanation, PartsExplainer
from mkbench.concepts.random_parts import RandomParts, roll_each
from mkbench.datamodules import Critters
from mkbench.systems import MutualKnowledge


def test_roll_is_that_of_torch_with_an_offset_for_each_image() -> None:
    torch.manual_seed(0)
    maps = torch.rand(4, 2, 5, 7)
    offsets = torch.tensor([[0, 0], [1, 2], [4, 6], [-3, 8]])
    expected = torch.stack([torch.roll(m, tuple(o), dims=(1, 2)) for m, o in zip(maps, offsets.tolist(), strict=True)])
    assert torch.equal(roll_each(maps, offsets), expected)


@pytest.fixture(scope="module")
def explained(tiny_model: Path) -> dict[str, GroupExplanation]:
    system = MutualKnowledge(
        f"local-dir:{tiny_model}",
        num_language_concepts=12,
        refine="components",
        explainers=[RandomParts(pool=62)],
    )
    data = Critters(images_per_class=6, limit_classes=1, num_workers=0)
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    group = data.dataset(system.geometry, data.specs)[0]
    moved = system.explain_group(group).explained["random"].explanation
    again = system.explain_group(group).explained["random"].explanation
    system.explainers = [PartsExplainer("pca", pool=62)]
    unmoved = system.explain_group(group).explained["pca"].explanation
    return {"moved": moved, "again": again, "unmoved": unmoved}


def test_parts_keep_their_areas_and_leave_their_places(explained: dict[str, GroupExplanation]) -> None:
    moved, unmoved = explained["moved"], explained["unmoved"]
    assert torch.equal(moved.part_pixels.flatten(2).sum(2), unmoved.part_pixels.flatten(2).sum(2))
    assert torch.equal(moved.present, unmoved.present)
    for part in range(-1, 5):
        assert torch.equal((moved.part_labels == part).sum((1, 2)), (unmoved.part_labels == part).sum((1, 2)))
    # One of sixteen offsets leaves an image as it is.
    assert (moved.part_labels != unmoved.part_labels).flatten(1).any(1).sum() >= 3


def test_pixels_lie_in_the_patches_of_their_part(explained: dict[str, GroupExplanation]) -> None:
    moved = explained["moved"]
    patches = moved.part_labels.repeat_interleave(8, 1).repeat_interleave(8, 2)  # 32 pixels, 4 x 4 patches
    for part in range(5):
        assert not (moved.part_pixels[:, part] & (patches != part)).any()


def test_places_follow_from_the_seed(explained: dict[str, GroupExplanation]) -> None:
    assert torch.equal(explained["moved"].part_labels, explained["again"].part_labels)


def test_settings_name_what_was_moved() -> None:
    settings = RandomParts("kmeans", prompts=["ring"], transport=False).settings()
    assert (settings["of"], settings["prompts"], settings["transport"]) == ("kmeans", ["ring"], False)
    with pytest.raises(ValueError, match="must be one of pca, kmeans, found 'x'"):
        RandomParts("x")
