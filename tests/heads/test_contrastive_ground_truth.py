"""Contrastive segmentation against images with ground truth: which of two things lies where."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mkbench import load_backbone
from mkbench.datamodules.critters_world import Critter, load_world, render
from mkbench.datamodules.resizing import resize_squash
from mkbench.heads import Decomposer
from mkbench.heads.analyses import contrastive_segmentation

NUM_IMAGES = 32


@pytest.fixture(scope="module")
def decomposer() -> Decomposer:
    return Decomposer(load_backbone("critters-vit-l"))


@torch.no_grad()
def differences(decomposer: Decomposer, image: NDArray[np.uint8], texts: tuple[str, str]) -> Tensor:
    """M1 - M2 in units of its largest magnitude, (h, w)."""
    backbone = decomposer.backbone
    pixels = resize_squash(torch.from_numpy(image).permute(2, 0, 1), backbone.geometry.size)
    query = decomposer(pixels[None], tokens=True)
    embeddings = backbone.encode_text(texts)
    found = contrastive_segmentation(query, embeddings, texts=texts, grid=backbone.grid)
    return found.difference / found.limit


def gap(values: Tensor, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """The mean over the pixels of one mask, minus that over those of another."""
    shares = [
        F.adaptive_avg_pool2d(torch.from_numpy(mask.astype(np.float32))[None], tuple(values.shape))[0]
        for mask in (first, second)
    ]
    one, other = ((values * share).sum() / share.sum() for share in shares)
    return float(one - other)


def side_by_side(left: Critter, right: Critter) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Both in one image, and where the animals are."""
    blank = np.zeros(left.labels.shape, np.bool_)
    masks = [np.concatenate(pair, axis=1) for pair in ((left.labels > 0, blank), (blank, right.labels > 0))]
    return np.concatenate([left.image, right.image], axis=1), masks[0], masks[1]


def pairs(count: int) -> list[list[str]]:
    """Names of `count` different kinds for each of many images."""
    rng = np.random.default_rng(0)
    names = np.array(load_world().class_names)
    return [names[rng.choice(len(names), count, replace=False)].tolist() for _ in range(NUM_IMAGES)]


def test_two_animals_are_found_on_their_sides(decomposer: Decomposer) -> None:
    gaps = []
    for index, (left, right) in enumerate(pairs(2)):
        image, first, second = side_by_side(render(left, index), render(right, index))
        values = differences(decomposer, image, (f"a photo of a {left}", f"a photo of a {right}"))
        gaps.append(gap(values, first, second))
    assert np.mean(np.array(gaps) > 0) >= 0.85
    assert np.mean(gaps) > 0.15


def test_names_of_absent_animals_point_nowhere(decomposer: Decomposer) -> None:
    gaps = []
    for index, (left, right, *absent) in enumerate(pairs(4)):
        image, first, second = side_by_side(render(left, index), render(right, index))
        one, other = (f"a photo of a {name}" for name in absent)
        gaps.append(gap(differences(decomposer, image, (one, other)), first, second))
    assert 0.2 <= np.mean(np.array(gaps) > 0) <= 0.8


@pytest.mark.parametrize("part", ["tail", "legs", "coat"])
def test_wings_are_told_from_other_parts(decomposer: Decomposer, part: str) -> None:
    world = load_world()
    winged = [name for name, values in world.classes.items() if values["wings"] != "none"]
    found = []
    for name in winged:
        critter = render(name, 3)
        texts = [
            next(
                entry.text
                for entry, true in zip(world.descriptors, critter.ground_truth, strict=True)
                if true and entry.part == one
            )
            for one in ("wings", part)
        ]
        values = differences(decomposer, critter.image, (texts[0], texts[1]))
        found.append(gap(values, critter.part_mask("wings"), critter.part_mask(part)))
    assert len(found) >= 8
    assert np.mean(np.array(found) > 0) >= 0.9
    assert np.mean(found) > 0.2
