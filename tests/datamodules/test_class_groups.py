from dataclasses import dataclass, field

import pytest
import torch

from mkbench.datamodules.class_groups import ClassGroup, ClassGroupDataset, GroupSpec, group_key, split_groups
from mkbench.datamodules.ground_truth import GroupGroundTruth, ImageGroundTruth
from mkbench.errors import DataError, UsageError


@dataclass
class Toy:
    """Class i has counts[i] images; image number n of it is filled with 10 * i + n."""

    counts: tuple[int, ...]
    bad: frozenset[str] = field(default=frozenset())

    @property
    def class_names(self):
        return tuple(f"class {i}" for i in range(len(self.counts)))

    def sample_ids(self, class_index):
        return [f"{class_index}/{number}" for number in range(self.counts[class_index])]

    def read(self, class_index, sample_id):
        if sample_id in self.bad:
            raise DataError(f"bad image {sample_id}")
        return torch.full((3, 4, 6), 10 * class_index + int(sample_id.split("/")[1]), dtype=torch.uint8)


def test_keys_sort_by_class_then_part():
    keys = [group_key(c, p) for c in (0, 2, 10, 999, 21840) for p in (0, 9, 10, 999)]
    assert keys == sorted(keys)
    assert GroupSpec(3, 12, ()).key == group_key(3, 12) == "00003-012"


def test_keys_of_images_without_labels_come_last_and_sort_by_part():
    keys = [group_key(99_999, 999), *(group_key(None, part) for part in (0, 9, 1000, 999_999))]
    assert keys == sorted(keys)
    spec = GroupSpec(None, 12, ())
    assert (spec.key, spec.listed_under) == ("unlabelled-000012", 0)
    assert GroupSpec(3, 12, ()).listed_under == 3


def test_images_without_labels_are_listed_under_class_0(geometry):
    source = Toy((5, 0))
    specs = split_groups(source, 2, group_size=3, limit=4, labelled=False)
    assert [(spec.class_index, spec.part, spec.sample_ids) for spec in specs] == [
        (None, 0, ("0/0", "0/1", "0/2")),
        (None, 1, ("0/3",)),
    ]
    group = ClassGroupDataset(source, specs, geometry)[1]
    assert (group.class_index, group.key, group.images[:, 0, 0, 0].tolist()) == (None, "unlabelled-000001", [3])


def test_images_without_labels_may_fall_into_a_million_groups():
    assert len(split_groups(Toy((1001,)), 1, group_size=1, limit=None, labelled=False)) == 1001
    with pytest.raises(UsageError, match=r"1000000 groups of images, found 1000001; give --data.group_size 2"):
        split_groups(Toy((1_000_001,)), 1, group_size=1, limit=None, labelled=False)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 3, 8, 8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 4, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 3, 8, 9, dtype=torch.uint8),
    ],
)
def test_wrong_images(images):
    with pytest.raises(ValueError, match=r"Expected uint8 images \(B, 3, S, S\), got torch\.\w+ \("):
        ClassGroup(images, 0, 0, ("a",))


def test_wrong_number_of_ids():
    with pytest.raises(ValueError, match="Expected a sample id for each of 2 images, got 1"):
        ClassGroup(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 0, 0, ("a",))


def test_to_another_device_keeps_the_rest():
    group = ClassGroup(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), 4, 2, ("a",), ("b is bad",))
    moved = group.to(torch.device("meta"))
    assert moved.images.device.type == "meta"
    assert (moved.class_index, moved.part, moved.sample_ids, moved.unreadable) == (4, 2, ("a",), ("b is bad",))
    assert (len(moved), moved.key) == (1, "00004-002")


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_cuda_device_is_not_waited_for(monkeypatch, device):
    asked = []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_, **options: asked.append(options) or tensor)
    ClassGroup(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 0, 0, ("a",)).to(torch.device(device))
    assert asked == [{"non_blocking": device == "cuda"}]  # of pinned memory alone does it matter


@pytest.mark.parametrize(
    ("group_size", "limit", "sizes"),
    [
        (None, None, {"00000-000": 5, "00001-000": 2}),
        (2, None, {"00000-000": 2, "00000-001": 2, "00000-002": 1, "00001-000": 2}),
        (2, 3, {"00000-000": 2, "00000-001": 1, "00001-000": 2}),
        (9, 1, {"00000-000": 1, "00001-000": 1}),
        (1, None, {f"00000-00{i}": 1 for i in range(5)} | {"00001-000": 1, "00001-001": 1}),
    ],
)
def test_split(group_size, limit, sizes):
    specs = split_groups(Toy((5, 2, 4)), 2, group_size=group_size, limit=limit)
    assert {spec.key: len(spec.sample_ids) for spec in specs} == sizes
    for class_index, count in enumerate((5, 2)):
        ids = [name for spec in specs if spec.class_index == class_index for name in spec.sample_ids]
        assert ids == [f"{class_index}/{i}" for i in range(min(count, limit or count))]


def test_class_without_images_has_no_group():
    assert [spec.class_index for spec in split_groups(Toy((1, 0, 1)), 3, group_size=None, limit=None)] == [0, 2]


def test_too_many_groups_of_a_class():
    # 2001 images in at most 1000 groups: at least 3 in a group.
    with pytest.raises(UsageError, match=r"at most 1000 groups of a class, found 1001 of 'class 0'; .*group_size 3 or"):
        split_groups(Toy((2001,)), 1, group_size=2, limit=None)
    assert len(split_groups(Toy((2000,)), 1, group_size=2, limit=None)) == 1000


def test_items_are_groups(geometry):
    source = Toy((3, 2))
    dataset = ClassGroupDataset(source, split_groups(source, 2, group_size=None, limit=None), geometry)
    assert len(dataset) == 2
    group = dataset[1]
    assert group.images.shape == (2, 3, 16, 16)
    assert group.images[:, 0, 0, 0].tolist() == [10, 11]
    assert (group.class_index, group.part, group.sample_ids, group.unreadable) == (1, 0, ("1/0", "1/1"), ())


def test_unreadable_images_are_skipped_and_named(geometry):
    source = Toy((3,), frozenset({"0/1"}))
    group = ClassGroupDataset(source, split_groups(source, 1, group_size=None, limit=None), geometry)[0]
    assert group.sample_ids == ("0/0", "0/2")
    assert group.images[:, 0, 0, 0].tolist() == [0, 2]
    assert group.unreadable == ("bad image 0/1",)


def test_a_group_may_lose_all_its_images(geometry):
    group = ClassGroupDataset(Toy((1,), frozenset({"0/0"})), [GroupSpec(0, 0, ("0/0",))], geometry)[0]
    assert group.images.shape == (0, 3, 16, 16)
    assert group.images.dtype == torch.uint8
    assert (len(group), group.unreadable) == (0, ("bad image 0/0",))


def test_raise_stops(geometry):
    dataset = ClassGroupDataset(
        Toy((1,), frozenset({"0/0"})), [GroupSpec(0, 0, ("0/0",))], geometry, on_bad_image="raise"
    )
    with pytest.raises(DataError, match="bad image 0/0"):
        dataset[0]


def test_unknown_option(geometry):
    with pytest.raises(ValueError, match=r"Expected on_bad_image to be one of .*, got 'ignore'"):
        ClassGroupDataset(Toy((1,)), [], geometry, on_bad_image="ignore")


class Boxed(Toy):
    """Image number n has a box of n + 1 columns; the boxes of those that are too wide do not fit."""

    def ground_truth(self, class_index, sample_id):
        return ImageGroundTruth(boxes=torch.tensor([[0, 0, int(sample_id.split("/")[1]), 3]]))


def test_ground_truth_comes_with_the_images_that_can_be_read(geometry):
    source = Boxed((8,), frozenset({"0/1"}))
    specs = split_groups(source, 1, group_size=None, limit=None)
    group = ClassGroupDataset(source, specs, geometry, with_ground_truth=True)[0]
    # Images of 6 x 4 pixels to 16 x 16: column n ends at (n + 1) * 16 / 6. Boxes of 7 and 8 columns do not fit.
    assert group.sample_ids == ("0/0", "0/2", "0/3", "0/4", "0/5")
    assert [boxes.tolist() for boxes in group.ground_truth.boxes] == [[[0, 0, x, 15]] for x in (2, 7, 10, 12, 15)]
    assert group.unreadable[0] == "bad image 0/1"
    assert "within the 6 x 4 pixels of 0/6, found [0, 0, 6, 3]" in group.unreadable[1]
    with pytest.raises(DataError, match="pixels of 0/6"):
        ClassGroupDataset(Boxed((7,)), specs, geometry, on_bad_image="raise", with_ground_truth=True)[0]


def test_ground_truth_is_not_read_unless_it_is_wanted(geometry):
    class Forbidden(Toy):
        def ground_truth(self, class_index, sample_id):
            raise RuntimeError

    assert ClassGroupDataset(Forbidden((1,)), [GroupSpec(0, 0, ("0/0",))], geometry)[0].ground_truth is None


def test_ground_truth_is_wanted_of_a_source_that_knows_none(geometry):
    with pytest.raises(UsageError, match=r"Expected data with ground truth, .* give --data\.boxes"):
        ClassGroupDataset(Toy((1,)), [], geometry, with_ground_truth=True)


def test_group_without_a_readable_image_has_no_ground_truth(geometry):
    source = Boxed((1,), frozenset({"0/0"}))
    group = ClassGroupDataset(source, [GroupSpec(0, 0, ("0/0",))], geometry, with_ground_truth=True)[0]
    assert (len(group), group.ground_truth) == (0, None)


def test_ground_truth_goes_where_the_images_go():
    ground_truth = GroupGroundTruth(2, all_boxes=torch.tensor([[0, 0, 1, 1]]), box_counts=(0, 1))
    group = ClassGroup(torch.zeros(2, 3, 2, 2, dtype=torch.uint8), 0, 0, ("a", "b"), ground_truth=ground_truth)
    assert group.to(torch.device("meta")).ground_truth.boxes[1].device.type == "meta"
    first = group.first(1)
    assert (first.sample_ids, first.ground_truth.box_counts, len(first.images)) == (("a",), (0,), 1)
    assert ClassGroup(group.images, 0, 0, ("a", "b")).first(1).ground_truth is None


def test_ground_truth_of_other_images_is_refused():
    with pytest.raises(ValueError, match="Expected the ground truth of 1 images, got that of 2"):
        ClassGroup(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), 0, 0, ("a",), ground_truth=GroupGroundTruth(2))
