import hashlib
import subprocess
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from mkbench.datamodules.critters_drawing import COATS, PARTS
from mkbench.datamodules.critters_world import (
    Critter,
    ground_truth_matrix,
    load_world,
    paint,
    paint_canvas,
    paint_scene,
    render,
    render_wild,
)

WORLD = load_world()


@pytest.fixture(scope="module")
def critters():
    """Two images of every class."""
    return {(name, index): render(name, index) for name in WORLD.class_names for index in range(2)}


def true_texts(critter):
    return {entry.text for entry, true in zip(WORLD.descriptors, critter.ground_truth, strict=True) if true}


def test_another_process_renders_the_same_bytes():
    code = """
import hashlib
from mkbench.datamodules.critters_world import render
digest = hashlib.sha256()
for index in range(3):
    critter = render("mavvik", index, split="train", seed=5)
    digest.update(critter.image.tobytes() + critter.labels.tobytes() + critter.ground_truth.tobytes())
print(digest.hexdigest())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256()
    for index in reversed(range(3)):  # in another order: no image depends on the one before
        render("mavvik", index, split="train", seed=5)
    for index in range(3):
        critter = render("mavvik", index, split="train", seed=5)
        digest.update(critter.image.tobytes() + critter.labels.tobytes() + critter.ground_truth.tobytes())
    assert done.stdout.strip() == digest.hexdigest()


def test_every_argument_gives_other_images():
    images = [
        render("blorp", 0),
        render("zindle", 0),
        render("blorp", 1),
        render("blorp", 0, split="val"),
        render("blorp", 0, seed=1),
    ]
    assert len({critter.image.tobytes() for critter in images}) == 5


def test_unknown_class():
    with pytest.raises(ValueError, match=r"Expected a class of Critters, one of blorp, zindle, .*, got 'unicorn'"):
        render("unicorn", 0)


def test_classes_are_near_twins():
    assert len(WORLD.classes) == 32
    looks = [tuple(sorted(look.items())) for look in WORLD.classes.values()]
    assert len(set(looks)) == 32
    names = WORLD.class_names
    for one, other in zip(names[::2], names[1::2], strict=True):
        first, second = WORLD.classes[one], WORLD.classes[other]
        assert len([key for key in first if first[key] != second[key]]) == 1
        assert first.keys() == second.keys()


def test_descriptors_are_many_and_unique():
    texts = [entry.text for entry in WORLD.descriptors]
    assert len(texts) >= 240
    assert len(set(texts)) == len(texts)
    of_some_class = {text for name in WORLD.class_names for text in WORLD.class_descriptors(name)}
    assert len(set(texts) - of_some_class) >= 60
    assert {entry.part for entry in WORLD.descriptors} == {*PARTS, "background", "none"}


def test_descriptors_require_values_that_exist():
    values = defaultdict(set)
    for look in WORLD.classes.values():
        for key, value in look.items():
            values[key].add(value)
    for key, scene in WORLD.scene.items():
        values[key].update(scene)
    for entry in WORLD.descriptors:
        known = all(value in values[key] for key, value in entry.requires.items())
        assert entry.requires
        assert known == (entry.part != "none")


def test_each_descriptor_is_true_of_some_image_and_fantasy_of_none(critters):
    shown = ground_truth_matrix(list(critters.values())).any(dim=0)
    # What speaks of the scene is possible for every class; some coats (a plain pink one) belong to no class at all.
    possible = [
        set(entry.requires) <= set(WORLD.scene) or any(entry.is_true(look) for look in WORLD.classes.values())
        for entry in WORLD.descriptors
    ]
    assert shown.tolist() == possible
    assert not any(true for true, entry in zip(possible, WORLD.descriptors, strict=True) if entry.part == "none")


def test_ground_truth_is_that_of_the_class_and_of_what_can_be_seen(critters):
    for (name, _), critter in critters.items():
        look = WORLD.classes[name]
        share = {part: critter.part_mask(part).mean() for part in PARTS}
        for entry, true in zip(WORLD.descriptors, critter.ground_truth, strict=True):
            if entry.part not in PARTS or set(entry.requires) & set(WORLD.scene):
                continue
            fits = all(look[key] == value for key, value in entry.requires.items())
            absent = any(look[key] in ("none", "smooth") for key in entry.requires)
            # 0.1 % of 160 x 160 pixels is 25.6
            assert true == (fits and (absent or share[entry.part] >= 0.001))


def test_exactly_one_value_of_the_scene_is_true(critters):
    for critter in critters.values():
        true_values = defaultdict(Counter)
        for entry, true in zip(WORLD.descriptors, critter.ground_truth, strict=True):
            if entry.part == "background" and len(entry.requires) == 1:
                ((key, value),) = entry.requires.items()
                true_values[key][value] += 1 if true else -1
        for key, counts in true_values.items():
            totals = Counter(
                next(iter(entry.requires.values()))
                for entry in WORLD.descriptors
                if entry.part == "background" and list(entry.requires) == [key]
            )
            positive = [value for value, count in counts.items() if count > 0]
            assert len(positive) == 1 or (key == "thing" and not positive)  # there may be nothing else
            assert all(counts[value] in (totals[value], -totals[value]) for value in totals)


def test_facing_is_where_the_muzzle_is(critters):
    left = [entry.text for entry in WORLD.descriptors if dict(entry.requires) == {"facing": "left"}]
    right = [entry.text for entry in WORLD.descriptors if dict(entry.requires) == {"facing": "right"}]
    assert left
    assert right
    for critter in critters.values():
        muzzle, tail = (np.nonzero(critter.part_mask(part))[1].mean() for part in ("muzzle", "tail"))
        assert true_texts(critter) & {*left, *right} == set(left if muzzle < tail else right)


def test_labels_show_the_colour_of_the_coat(critters):
    # Tint, light and noise keep the direction of a plain coat's colour nearest to its own.
    names = sorted(COATS)
    table = np.array([COATS[name] for name in names], float)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    for (name, _), critter in critters.items():
        look = WORLD.classes[name]
        if look["pattern"] == "plain" and look["colour"] not in ("brown", "grey"):  # a tint can take those two away
            mean = np.median(critter.image[critter.part_mask("coat")], axis=0)
            assert names[int(np.argmax(table @ mean))] == look["colour"]


def test_part_masks_share_out_the_image(critters):
    for critter in critters.values():
        masks = np.stack([critter.part_mask(part) for part in (*PARTS, "background")])
        assert (masks.sum(axis=0) == 1).all()
        assert not critter.part_mask("none").any()
        assert critter.part_mask("coat").mean() > 0.05


def test_boxes_hold_all_parts_and_are_tight(critters):
    for critter in critters.values():
        left, top, right, bottom = critter.box()
        inside = np.zeros(critter.labels.shape, bool)
        inside[top : bottom + 1, left : right + 1] = True
        for part in PARTS:
            assert not (critter.part_mask(part) & ~inside).any()
        sides = [critter.labels[top], critter.labels[bottom], critter.labels[:, left], critter.labels[:, right]]
        assert all(side.any() for side in sides)


def test_box_of_a_toy():
    labels = np.zeros((5, 6), np.uint8)
    labels[1, 4] = labels[3, 2] = 1
    plan = render("blorp", 0).plan
    critter = Critter(np.zeros((5, 6, 3), np.uint8), labels, np.zeros(0, bool), plan)
    assert critter.box() == (2, 1, 4, 3)


def test_images_are_whole_and_named(critters):
    for (name, index), critter in critters.items():
        assert critter.image.shape == (160, 160, 3)
        assert critter.image.dtype == critter.labels.dtype == np.uint8
        assert critter.sample_id == f"test/{name}/{index:04d}"


def test_ground_truth_matrix():
    critters = [render("blorp", 0), render("humbi", 1)]
    matrix = ground_truth_matrix(critters)
    assert matrix.dtype == torch.bool
    assert [row.tolist() for row in matrix] == [critter.ground_truth.tolist() for critter in critters]


def test_wild_animals_have_independent_parts():
    wild = [render_wild(index) for index in range(40)]
    assert torch.equal(torch.from_numpy(wild[3].image), torch.from_numpy(render_wild(3).image))
    texts = [entry.text for entry in WORLD.descriptors]
    combinations = {
        (critter.ground_truth[texts.index("no wings")], critter.ground_truth[texts.index("a smooth back")])
        for critter in wild
    }
    assert len(combinations) == 4
    assert len({critter.sample_id for critter in wild}) == 40


def test_scene_is_what_lies_behind_the_animal(critters):
    for critter in list(critters.values())[::7]:
        scene = paint_scene(critter)
        differs = (scene != critter.image).any(axis=2)
        animal = paint_canvas(critter.plan).labels.reshape(160, 2, 160, 2).any(axis=(1, 3))
        assert not (differs & ~animal).any()
        assert differs[critter.labels > 0].mean() > 0.9  # some pixels of an animal are as dark as the night


def test_a_plan_is_painted_alike_each_time():
    critter = render("mavvik", 1)
    paint_scene(critter)
    again = paint(critter.plan)
    assert np.array_equal(again.image, critter.image)
    assert np.array_equal(render("mavvik", 1).image, critter.image)
