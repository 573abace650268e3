import pytest
import torch

from mkbench.datamodules import Critters
from mkbench.datamodules.critters import CrittersSource
from mkbench.datamodules.critters_world import load_world, render
from mkbench.errors import UsageError


def test_source_renders_what_the_id_says():
    source = CrittersSource("val", 2, seed=3)
    for sample_id, index in zip(source.sample_ids(5), (0, 1), strict=True):
        expected = render(source.class_names[5], index, split="val", seed=3)
        assert expected.sample_id == sample_id
        assert torch.equal(source.read(5, sample_id), torch.from_numpy(expected.image).permute(2, 0, 1))


def test_ids_of_five_digits_are_pictures_of_their_own():
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
