import pytest
import torch
from torch.utils.data import DataLoader

from mkbench.datamodules import Critters
from mkbench.datamodules.critters import CrittersSource
from mkbench.datamodules.critters_drawing import PARTS
from mkbench.datamodules.critters_interventions import intervene
from mkbench.datamodules.critters_world import load_world, render
from mkbench.datamodules.group_loader import take_only
from mkbench.errors import UsageError


def test_source_renders_what_the_id_says():
    source = CrittersSource("val", 2, seed=3)
    for sample_id, index in zip(source.sample_ids(5), (0, 1), strict=True):
        expected = render(source.class_names[5], index, split="val", seed=3)
        assert expected.sample_id == sample_id
        assert torch.equal(source.read(5, sample_id), torch.from_numpy(expected.image).permute(2, 0, 1))


def test_ids_of_five_digits_are_images_of_their_own():
    source = CrittersSource("test", 10_001, seed=0)
    last = source.sample_ids(0)[-1]
    assert last == "test/blorp/10000"
    assert not torch.equal(source.read(0, last), source.read(0, "test/blorp/0000"))


def test_bank_is_the_world():
    world = load_world()
    bank = Critters().bank
    assert bank.descriptors == tuple(entry.text for entry in world.descriptors)
    assert bank.by_class is not None
    assert tuple(bank.by_class) == world.class_names
    for name, ids in bank.by_class.items():
        assert [bank.descriptors[i] for i in ids] == world.class_descriptors(name)


def test_names_and_groups():
    data = Critters(split="val", images_per_class=4, group_size=3, limit_classes=2)
    assert data.name == "critters-val"
    assert data.class_names == load_world().class_names
    assert [(spec.key, len(spec.sample_ids)) for spec in data.specs] == [
        ("00000-000", 3),
        ("00000-001", 1),
        ("00001-000", 3),
        ("00001-001", 1),
    ]


def test_seeds_are_told_apart():
    assert Critters(seed=1).describe() != Critters(seed=2).describe()
    assert Critters(seed=1).describe() == Critters(seed=1).describe()


@pytest.mark.parametrize("option", ["images_per_class", "limit_classes"])
def test_limits_below_one(option):
    with pytest.raises(UsageError, match=rf"--data\.{option} to be at least 1, found 0"):
        Critters(**{option: 0})


def test_ground_truth_is_that_of_the_image():
    source, bank = CrittersSource("test", 3, seed=4), Critters().bank
    world = load_world()
    for class_index in (0, 9, 31):
        critter = render(source.class_names[class_index], 2, split="test", seed=4)
        ground_truth = source.ground_truth(class_index, source.sample_ids(class_index)[2])
        assert ground_truth.part_names == PARTS
        for number, part in enumerate(PARTS):
            assert torch.equal(ground_truth.part_masks[number], torch.from_numpy(critter.part_mask(part)))
        rows, columns = ground_truth.part_masks.any(0).nonzero(as_tuple=True)
        assert ground_truth.boxes.tolist() == [[columns.min(), rows.min(), columns.max(), rows.max()]]
        assert ground_truth.descriptors.tolist() == critter.ground_truth.tolist()
        shown = {bank.descriptors[number] for number in ground_truth.descriptors.nonzero().flatten().tolist()}
        assert len(shown & set(world.class_descriptors(source.class_names[class_index]))) > 20
        assert shown.isdisjoint(entry.text for entry in world.descriptors if entry.part == "none")


def test_descriptors_name_their_parts():
    parts = CrittersSource("test", 1, seed=0).ground_truth(0, "test/blorp/0000").descriptor_parts.tolist()
    named = [PARTS[part] if part >= 0 else "" for part in parts]
    expected = [entry.part if entry.part in PARTS else "" for entry in load_world().descriptors]
    assert named == expected
    assert {*named} == {*PARTS, ""}


def test_image_and_ground_truth_are_rendered_once(monkeypatch):
    source = CrittersSource("test", 2, seed=77)
    calls = []
    draw = "mkbench.datamodules.critters_world.draw_critter"
    original = render.__globals__["draw_critter"]
    monkeypatch.setattr(draw, lambda *words: (calls.append(words), original(*words))[1])
    for sample_id in source.sample_ids(3):
        source.read(3, sample_id)
        source.ground_truth(3, sample_id)
    assert len(calls) == 2


def test_ground_truth_survives_a_worker_process(geometry):
    data = Critters(images_per_class=2, limit_classes=1)
    dataset = data.dataset(geometry, data.specs, with_ground_truth=True)
    (group,) = DataLoader(dataset, batch_size=1, collate_fn=take_only, num_workers=1)
    expected = dataset[0].ground_truth
    assert [boxes.tolist() for boxes in group.ground_truth.boxes] == [boxes.tolist() for boxes in expected.boxes]
    assert torch.equal(group.ground_truth.part_masks, expected.part_masks)
    assert torch.equal(group.ground_truth.descriptors, expected.descriptors)
    assert group.ground_truth.part_masks.shape == (2, len(PARTS), 16, 16)


FACTORS = ["colour", "background", "removed_part"]


def test_changed_images_are_ground_truth_and_leave_the_images_alone(geometry):
    plain, changed = (Critters(images_per_class=2, limit_classes=1, intervention=each) for each in (None, FACTORS))
    group, other = (data.dataset(geometry, data.specs, with_ground_truth=True)[0] for data in (changed, plain))
    assert torch.equal(group.images, other.images)
    known = group.ground_truth
    assert known.factors == tuple(FACTORS)
    assert known.changed_images.shape == (2, 3, 3, 16, 16)
    differs = (known.changed_images != group.images[:, None]).any(2)  # (images, factors, height, width)
    assert differs.flatten(2).any(2).all()
    assert (differs & known.changed_pixels).flatten(2).any(2).all()
    assert (known.changed_descriptors != known.descriptors[:, None]).any(2).all()
    assert torch.equal(known.first(1).changed_images, known.changed_images[:1])
    assert known.scene.shape == (2, 3, 16, 16)
    assert (other.ground_truth.factors, other.ground_truth.changed_images) == ((), None)


def test_ground_truth_of_a_change_is_that_of_the_changed_image():
    source = CrittersSource("test", 1, seed=2, factors=("tail",))
    critter = render(source.class_names[3], 0, seed=2)
    pair = intervene(critter, "tail", seed=2)
    known = source.ground_truth(3, source.sample_ids(3)[0])
    assert torch.equal(known.changed_images[0].permute(1, 2, 0), torch.from_numpy(pair.critter.image))
    assert torch.equal(known.changed_pixels[0], torch.from_numpy(pair.changed))
    assert known.changed_descriptors[0].tolist() == pair.critter.ground_truth.tolist()


def test_runs_with_changes_are_told_apart():
    assert "intervention" not in Critters().describe()
    assert Critters(intervention=FACTORS).describe()["intervention"] == FACTORS


@pytest.mark.parametrize(("factors", "found"), [(["hat"], "hat"), (["tail", "tail"], "twice: tail, tail")])
def test_factors_that_cannot_be_changed(factors, found):
    with pytest.raises(UsageError, match=rf"--data\.intervention to list .*colour.*, found .*{found}"):
        Critters(intervention=factors)
