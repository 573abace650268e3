from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_descriptions import LEAF, TEMPLATE, WordBackbone, colour_data, write_colours

from mkbench.datamodules import ImageFolder
from mkbench.systems.descriptor_texts import (
    description_variants,
    embed_descriptions,
    find_own_descriptors,
)
from mkbench.systems.text_cache import TextCache

NO_CACHE = TextCache(None)


@pytest.fixture
def data(tmp_path: Path) -> ImageFolder:
    return colour_data(write_colours(tmp_path / "test", {name: {"0.png": LEAF} for name in ("leaf", "rose", "sky")}))


def texts_of(data: ImageFolder, ids: Sequence[tuple[int, ...]]) -> list[list[str]]:
    return [[data.bank.descriptors[place] for place in of_class] for of_class in ids]


def test_classes_are_described_in_class_order(data: ImageFolder) -> None:
    own = find_own_descriptors(data)
    texts, owners = embed_descriptions(WordBackbone(), data.class_names, texts_of(data, own), TEMPLATE, NO_CACHE)
    assert owners.tolist() == [0, 1, 2, 2]
    half = 0.5**0.5
    np.testing.assert_allclose(texts.numpy(), [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, half, half]], atol=1e-6)


def test_nothing_to_describe(data: ImageFolder) -> None:
    texts, owners = embed_descriptions(WordBackbone(), data.class_names, [(), (), ()], TEMPLATE, NO_CACHE)
    assert (texts.shape, owners.shape) == ((0, 3), (0,))
    base = NO_CACHE.embed_classes(WordBackbone(), data.class_names, data.templates)
    variants = description_variants(base, (texts, owners), (texts, owners))
    assert all(torch.equal(vectors, base.double()) for vectors in variants.values())


def test_mined_descriptions_join_the_own_ones(data: ImageFolder) -> None:
    backbone = WordBackbone()
    base = NO_CACHE.embed_classes(backbone, data.class_names, data.templates)
    own, mined = (
        embed_descriptions(backbone, data.class_names, texts_of(data, ids), TEMPLATE, NO_CACHE)
        for ids in ([(), (2,), ()], [(), (1, 0), ()])
    )
    variants = description_variants(base, own, mined)
    # rose: petals (1, 0, 0), with veins (0.707, 0.707, 0) and clouds (0.707, 0, 0.707) added, over three.
    half = 0.5**0.5
    np.testing.assert_allclose(variants["descriptors"][1].numpy(), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(variants["mined"][1].numpy(), [(1 + 2 * half) / 3, half / 3, half / 3], atol=1e-6)
    for name in ("descriptors", "mined"):
        assert torch.equal(variants[name][[0, 2]], base.double()[[0, 2]])
