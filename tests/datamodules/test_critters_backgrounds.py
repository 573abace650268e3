import hashlib

import numpy as np
import pytest

from mkbench.datamodules import Critters
from mkbench.datamodules.critters import CrittersSource
from mkbench.datamodules.critters_backgrounds import BACKGROUNDS, find_background, find_habitat
from mkbench.datamodules.critters_world import load_world, render

WORLD = load_world()
KINDS = range(len(WORLD.class_names))


def ground_of(critter):
    """The ground that an image shows by its ground truth."""
    facts = {
        entry.requires["ground"]
        for entry, true in zip(WORLD.descriptors, critter.ground_truth, strict=True)
        if true and "ground" in entry.requires
    }
    (ground,) = facts
    return ground


def test_one_twin_of_each_pair_lives_on_land_and_the_other_by_the_water():
    habitats = [find_habitat(kind) for kind in KINDS]
    assert all(set(pair) == {"land", "water"} for pair in zip(habitats[::2], habitats[1::2], strict=True))
    # No trait but the one that tells twins apart is more frequent on one side.
    for pair in zip(WORLD.class_names[::2], WORLD.class_names[1::2], strict=True):
        first, second = (WORLD.classes[name] for name in pair)
        assert sum(first[key] != second[key] for key in first) == 1


@pytest.mark.parametrize(("split", "images", "own"), [("background", 10, 5), ("background-train", 40, 38)])
def test_how_many_images_of_every_kind_show_its_habitat(split, images, own):
    for kind in KINDS:
        shown = [find_background(split, kind, index) for index in range(images)]
        assert shown.count(find_habitat(kind)) == own
        assert set(shown) == set(BACKGROUNDS)


@pytest.mark.parametrize("split", ["test", "val", "train"])
def test_other_splits_tie_nothing(split):
    assert {find_background(split, kind, index) for kind in KINDS for index in range(20)} == {None}


@pytest.mark.parametrize("split", ["background", "background-train"])
def test_the_image_shows_the_background(split):
    source = CrittersSource(split, 20, seed=3)
    grounds = {name: set() for name in BACKGROUNDS}
    for kind in (0, 1, 30, 31):
        for sample_id in source.sample_ids(kind)[14:]:
            critter = render(source.class_names[kind], int(sample_id[-4:]), split=split, seed=3)
            background = source.background(kind, sample_id)
            grounds[background].add(ground_of(critter))
            assert ground_of(critter) in BACKGROUNDS[background]
            assert source.ground_truth(kind, sample_id).descriptors.tolist() == critter.ground_truth.tolist()
    assert grounds["water"] == {"sea"}
    assert len(grounds["land"]) >= 3


def test_sea_is_below_the_horizon_and_no_land_is_blue():
    """Blue exceeds red in the lowest rows, where the animal is not, of images by the water alone."""
    for kind in (4, 5):
        for index in range(4):
            critter = render(WORLD.class_names[kind], index, split="background")
            low = critter.image[-20:][critter.labels[-20:] == 0].astype(float).mean(axis=0)
            assert (low[2] > low[0] + 5) == (find_background("background", kind, index) == "water")


def test_ids_sort_in_their_order_and_images_differ_between_splits():
    ids = CrittersSource("background-train", 12, seed=0).sample_ids(2)
    assert list(ids) == sorted(ids)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/") for name in ids)
    images = {render("blorp", 0, split=split).image.tobytes() for split in ("background", "background-train", "test")}
    assert len(images) == 3


def test_images_are_a_function_of_seed_split_class_and_index():
    first = render("toorla", 3, split="background", seed=5)
    render("blorp", 1, split="background", seed=5)
    again = render("toorla", 3, split="background", seed=5)
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, render("toorla", 3, split="background", seed=6).image)


@pytest.mark.parametrize("split", ["test", "val", "train"])
def test_scenes_of_other_splits_are_the_first_draws_from_all_values(split):
    """The ground is the first thing drawn, from all of the world's: what these splits have always been."""
    for name in WORLD.class_names[:12]:
        digest = hashlib.sha256(f"2/{split}/{name}/4".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        assert next(iter(WORLD.scene)) == "ground"
        assert ground_of(render(name, 4, split=split, seed=2)) == rng.choice(WORLD.scene["ground"])


def test_names_of_the_data():
    assert Critters(split="background").name == "critters-background"
    assert Critters(split="background-train").name == "critters-background-train"
