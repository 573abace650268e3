"""Pairs of rendered images differ in what is changed, and in nothing else."""

import numpy as np
import pytest

from mkbench.datamodules.critters_drawing import PARTS
from mkbench.datamodules.critters_interventions import BACKGROUND, FACTORS, REMOVED_PART, intervene
from mkbench.datamodules.critters_world import load_world, paint_canvas, render
from mkbench.errors import UsageError

WORLD = load_world()
ATTRIBUTES = [factor for factor in FACTORS if factor in WORLD.attributes]
LABELS = ("background", *PARTS)
#: Images of every pattern, tail, ground, ...
ORIGINALS = [render(name, index, split="background") for index, name in enumerate(WORLD.class_names[::3])]


@pytest.fixture(scope="module", params=FACTORS)
def pairs(request):
    """A factor with the images and their changed ones."""
    return request.param, [(critter, intervene(critter, request.param, seed=5)) for critter in ORIGINALS]


def texts(critter):
    return {entry.text for entry, true in zip(WORLD.descriptors, critter.ground_truth, strict=True) if true}


def visible(critter, part):
    return critter.part_mask(part).mean() >= 0.001


def shown(critter, part):
    """The pixels that show at least a quarter of a part: an image is painted at twice its size."""
    painted = paint_canvas(critter.plan).labels == LABELS.index(part)
    return painted.reshape(160, 2, 160, 2).any(axis=(1, 3))


def test_every_attribute_of_the_world_can_be_changed():
    assert sorted(ATTRIBUTES) == sorted(WORLD.attributes)
    assert set(FACTORS) - set(ATTRIBUTES) == {BACKGROUND, REMOVED_PART}


def test_one_value_changes(pairs):
    factor, images = pairs
    for critter, pair in images:
        old, new = ({**each.plan.attributes, **each.plan.scene} for each in (critter, pair.critter))
        (key,) = [key for key in old if old[key] != new[key]]
        if factor == REMOVED_PART:
            assert key == pair.value
            assert not pair.critter.part_mask(key).any()
        else:
            assert (key, new[key]) == ("ground" if factor == BACKGROUND else factor, pair.value)
            assert new[key] in {**WORLD.attributes, **WORLD.scene}[key]


def test_all_other_pixels_are_equal(pairs):
    """What may change is where the part is in either image; colour and pattern are all over the animal."""
    factor, images = pairs
    for critter, pair in images:
        assert np.array_equal(critter.image[~pair.changed], pair.critter.image[~pair.changed])
        assert (critter.image[pair.changed] != pair.critter.image[pair.changed]).any(axis=1).all()
        parts = {BACKGROUND: ["background"], REMOVED_PART: [pair.value]}.get(factor, [factor])
        parts = parts if parts[0] in LABELS else list(PARTS)
        may = np.any([shown(each, part) for each in (critter, pair.critter) for part in parts], axis=0)
        assert not (pair.changed & ~may).any()


def test_descriptors_change_as_the_value_does(pairs):
    """Those of other facts stay, as long as their part is seen as before."""
    factor, images = pairs
    changed = 0
    for critter, pair in images:
        gained, lost = texts(pair.critter) - texts(critter), texts(critter) - texts(pair.critter)
        changed += len(gained) + len(lost)
        key = {BACKGROUND: "ground", REMOVED_PART: pair.value}.get(factor, factor)
        for entry in WORLD.descriptors:
            if entry.part in PARTS and visible(critter, entry.part) != visible(pair.critter, entry.part):
                continue
            if entry.text in gained | lost:
                assert key in entry.requires
            if entry.text in gained and factor != REMOVED_PART:
                assert entry.requires[key] == pair.value
    assert changed >= 6 * len(images) / 2


def test_same_image_same_change():
    for factor in FACTORS:
        one, other = (intervene(render("blorp", 3), factor, seed=1) for _ in range(2))
        assert one.value == other.value
        assert np.array_equal(one.critter.image, other.critter.image)
    values = {intervene(render("blorp", index), "colour").value for index in range(20)}
    assert len(values) > 4
    assert render("blorp", 0).plan.attributes["colour"] not in values


def test_unknown_factor():
    with pytest.raises(UsageError, match="found size; correct it"):
        intervene(ORIGINALS[0], "size")
