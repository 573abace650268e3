from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mkbench.datamodules.ground_truth import GroupGroundTruth, ImageGroundTruth, ground_truth_reader, stack_ground_truth

BOXES = torch.tensor([[0, 0, 3, 3], [1, 1, 2, 2]])


def make_image(seed: int, boxes: Tensor | None = None, **changes: Any) -> ImageGroundTruth:
    generator = torch.Generator().manual_seed(seed)
    known: dict[str, Any] = {
        "boxes": boxes,
        "part_masks": torch.rand(2, 4, 4, generator=generator) > 0.5,
        "part_names": ("tail", "ears"),
        "descriptors": torch.rand(3, generator=generator) > 0.5,
        "descriptor_parts": torch.tensor([1, 0, -1]),
    }
    return ImageGroundTruth(**(known | changes))


def test_a_group_holds_its_images_in_order() -> None:
    images = [make_image(0, BOXES), make_image(1), make_image(2, BOXES[:1])]
    group = stack_ground_truth(images)
    assert group is not None
    assert len(group) == 3
    assert group.boxes is not None
    assert [boxes.tolist() for boxes in group.boxes] == [BOXES.tolist(), [], BOXES[:1].tolist()]
    assert group.part_masks is not None
    assert group.descriptors is not None
    for index, image in enumerate(images):
        assert torch.equal(group.part_masks[index], image.part_masks)  # type: ignore[arg-type]
        assert torch.equal(group.descriptors[index], image.descriptors)  # type: ignore[arg-type]
    assert (group.part_names, group.descriptor_parts.tolist()) == (("tail", "ears"), [1, 0, -1])  # type: ignore[union-attr]


def test_nothing_known_is_no_ground_truth() -> None:
    assert stack_ground_truth([None, None]) is None
    assert stack_ground_truth([]) is None
    empty = stack_ground_truth([None, ImageGroundTruth()])
    assert empty == GroupGroundTruth(2)
    assert empty is not None
    assert empty.boxes is None


def test_a_source_that_knows_boxes_of_no_image_in_a_group_still_knows_boxes() -> None:
    group = stack_ground_truth([ImageGroundTruth(boxes=torch.empty(0, 4, dtype=torch.int64)), None])
    assert group is not None
    assert group.boxes is not None
    assert [boxes.shape for boxes in group.boxes] == [(0, 4), (0, 4)]


@pytest.mark.parametrize(
    "other",
    [
        None,
        make_image(0, part_names=("tail", "nose")),
        make_image(0, descriptors=None, descriptor_parts=None),
        ImageGroundTruth(boxes=BOXES),
    ],
)
def test_images_of_which_different_things_are_known_are_refused(other: ImageGroundTruth | None) -> None:
    with pytest.raises(ValueError, match="Expected the same parts, and descriptors or none, of all images"):
        stack_ground_truth([make_image(1), other])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": BOXES.float()}, r"Expected boxes \('any', 4\) torch.int64, got \(2, 4\) torch.float32"),
        ({"boxes": BOXES[0]}, r"Expected boxes .*, got \(4,\)"),
        ({"part_names": ("tail",)}, r"Expected part_masks \(1, 'any', 'any'\) torch.bool, got \(2, 4, 4\)"),
        ({"descriptors": torch.zeros(3)}, r"Expected descriptors .* torch.bool, got \(3,\) torch.float32"),
        ({"descriptor_parts": torch.tensor([0])}, r"Expected descriptor_parts \(3,\) torch.int64, got \(1,\)"),
    ],
)
def test_wrong_shapes_are_refused_where_they_enter(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_image(0, **changes)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"all_boxes": BOXES, "box_counts": (2,)}, "number of boxes of 2 images, got 1"),
        ({"all_boxes": BOXES, "box_counts": (2, 1)}, r"Expected all_boxes \(3, 4\)"),
        ({"descriptors": torch.zeros(3, 5, dtype=torch.bool)}, r"Expected descriptors \(2, 'any'\)"),
        ({"part_masks": torch.zeros(2, 1, 4, 4, dtype=torch.bool)}, r"Expected part_masks \(2, 0, 'any', 'any'\)"),
    ],
)
def test_groups_are_checked_too(known: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GroupGroundTruth(2, **known)


def test_every_tensor_moves() -> None:
    group = stack_ground_truth([make_image(0, BOXES), make_image(1)])
    assert group is not None
    moved = group.map_tensors(lambda tensor: tensor.to("meta"))
    for name in ("all_boxes", "part_masks", "descriptors", "descriptor_parts"):
        assert getattr(moved, name).device.type == "meta", name
    assert (len(moved), moved.box_counts, moved.part_names) == (2, (2, 0), ("tail", "ears"))
    assert GroupGroundTruth(1).map_tensors(torch.neg) == GroupGroundTruth(1)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_first_images_alone(count: int) -> None:
    images = [make_image(0, BOXES), make_image(1), make_image(2, BOXES[:1])]
    group, expected = stack_ground_truth(images), stack_ground_truth(images[:count])
    assert group is not None
    found = group.first(count)
    assert len(found) == min(count, 3)
    if expected is not None:
        assert found.boxes is not None
        assert expected.boxes is not None
        assert [boxes.tolist() for boxes in found.boxes] == [boxes.tolist() for boxes in expected.boxes]
        assert torch.equal(found.part_masks, expected.part_masks)  # type: ignore[arg-type]
        assert torch.equal(found.descriptors, expected.descriptors)  # type: ignore[arg-type]


def test_sources_without_ground_truth_have_no_reader() -> None:
    class Knowing:
        def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth | None:
            return ImageGroundTruth(part_names=()) if class_index else None

    assert ground_truth_reader(object()) is None
    reader = ground_truth_reader(Knowing())
    assert reader is not None
    assert reader(0, "a") is None
    assert reader(1, "a") == ImageGroundTruth()


# -- changed images --------------------------------------------------------------------------------------------------


def changed_image(seed: int, **changes: Any) -> ImageGroundTruth:
    generator = torch.Generator().manual_seed(seed)
    known: dict[str, Any] = {
        "scene": torch.randint(0, 256, (3, 4, 4), dtype=torch.uint8, generator=generator),
        "factors": ("colour", "tail"),
        "changed_images": torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8, generator=generator),
        "changed_pixels": torch.rand(2, 4, 4, generator=generator) > 0.5,
        "changed_descriptors": torch.rand(2, 3, generator=generator) > 0.5,
    }
    return make_image(seed, **(known | changes))


CHANGED = ("scene", "changed_images", "changed_pixels", "changed_descriptors")


def test_changed_images_are_stacked_moved_and_cut() -> None:
    images = [changed_image(0), changed_image(1)]
    group = stack_ground_truth(images)
    assert group is not None
    assert group.factors == group.first(1).factors == ("colour", "tail")
    moved = group.map_tensors(lambda tensor: tensor.to("meta"))
    for name in CHANGED:
        stacked = getattr(group, name)
        assert torch.equal(stacked[1], getattr(images[1], name))
        assert torch.equal(getattr(group.first(1), name), stacked[:1])
        assert getattr(moved, name).device.type == "meta"


def test_images_with_other_changes_are_refused() -> None:
    for other in (make_image(1), changed_image(1, factors=("tail", "colour")), changed_image(1, scene=None)):
        with pytest.raises(ValueError, match="Expected the same parts"):
            stack_ground_truth([changed_image(0), other])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": ("tail",)}, r"Expected changed_images \(1, 3, 'any', 'any'\) torch.uint8, got \(2, 3, 4, 4\)"),
        ({"changed_pixels": torch.zeros(2, 4, 4)}, r"Expected changed_pixels .* torch.bool, got .* torch.float32"),
        ({"changed_descriptors": torch.zeros(2, 4) > 0}, r"Expected changed_descriptors \(2, 3\)"),
        ({"scene": torch.zeros(4, 4)}, r"Expected scene \(3, 'any', 'any'\) torch.uint8"),
    ],
)
def test_wrong_shapes_of_changed_images(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed_image(0, **changes)


def test_truth_after_a_change_lacks_parts_of_which_nothing_is_true() -> None:
    changed = torch.tensor([[True, False, True], [False, True, False]])
    image = make_image(
        0,
        factors=("tail", "colour"),
        changed_descriptors=changed,
        part_masks=torch.ones(2, 4, 4, dtype=torch.bool),
    )
    group = stack_ground_truth([image])
    assert group is not None
    for factor, there in enumerate(([False, True], [True, False])):  # descriptors speak of ears, the tail, neither
        after = group.after(factor)
        assert after.descriptors is not None
        assert after.descriptors[0].tolist() == changed[factor].tolist()
        assert after.part_masks is not None
        assert after.part_masks.flatten(2).all(dim=2).tolist() == [there]
    unchanged = stack_ground_truth([make_image(1)])
    assert unchanged is not None
    with pytest.raises(ValueError, match="Expected ground truth of changed images, found none"):
        unchanged.after(0)
