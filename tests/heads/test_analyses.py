from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from tower_kinds import clip, random_images
from toy_contributions import random_toy, toy

from mkbench.backbones import load_backbone
from mkbench.datamodules.critters import CrittersSource
from mkbench.datamodules.resizing import resize_image
from mkbench.heads import Decomposer, HeadBank, HeadContributions, decompose
from mkbench.heads.analyses import (
    contrastive_segmentation,
    image_neighbors,
    property_neighbors,
    text_neighbors,
    topic_segmentation,
)


def plane(*angles: tuple[float, float]) -> Tensor:
    """What two heads write for each image, each along the first axis, in one layer: (images, 1, 2, 2)."""
    return torch.tensor([[[[one, 0.0], [other, 0.0]]] for one, other in angles])


# What the heads write for three images along one axis, and for the query: dot products are products of numbers.
BANK = HeadBank(plane((1.0, 9.0), (2.0, -6.0), (3.0, 0.0)), ("a", "b", "c"), (3,))
QUERY = toy(plane((4.0, 2.0)), length=2.0, layers=(3,))  # of unit length: (2, 1)


def test_neighbors_of_an_image_by_head() -> None:
    # Head 0: 2 * (1, 2, 3). Head 1: 1 * (9, -6, 0).
    first = image_neighbors(QUERY, BANK, head=(3, 0))
    assert (first.ids, first.scores.tolist(), first.indices.tolist()) == (("c", "b", "a"), [6.0, 4.0, 2.0], [2, 1, 0])
    second = image_neighbors(QUERY, BANK, head=(3, 1), top=2, query_id="a")
    assert (second.ids, second.scores.tolist(), second.title) == (("c", "b"), [0.0, -6.0], "layer 3 head 1")
    assert image_neighbors(QUERY, BANK, head=(3, 0), query_id="elsewhere").ids == ("c", "b", "a")


def test_neighbors_by_property_average_its_heads() -> None:
    # The query writes (2 + 1) / 2 = 1.5, the images (1 + 9) / 2 = 5, (2 - 6) / 2 = -2 and 1.5.
    labels = {(3, 0): "colour", (3, 1): "colour", (0, 0): "colour", (3, 5): None}
    found = property_neighbors(QUERY, BANK, property_name="colour", labels=labels)
    assert found.ids == ("a", "c", "b")
    torch.testing.assert_close(found.scores, torch.tensor([7.5, 2.25, -3.0]))
    assert found.title == "colour, 2 heads"
    one = property_neighbors(QUERY, BANK, property_name="shape", labels={**labels, (3, 0): "shape"}, query_id="c")
    assert (one.ids, one.title) == (("b", "a"), "shape, layer 3 head 0")
    with pytest.raises(ValueError, match=r"got 'size'; they have \['colour'\]"):
        property_neighbors(QUERY, BANK, property_name="size", labels=labels)


def test_neighbors_of_a_text_take_its_direction_alone() -> None:
    found = text_neighbors(torch.tensor([-8.0, 0.0]), BANK, text="a street", head=(3, 1))
    assert (found.ids, found.scores.tolist()) == (("b", "c", "a"), [6.0, 0.0, -9.0])
    assert found.title == "“a street”, layer 3 head 1"
    # The mean of head 0 is 2: the images lie at -1, 0 and 1, and the text stays where it is.
    centred = text_neighbors(torch.tensor([8.0, 0.0]), BANK, text="a street", head=(3, 0), similarity="centred")
    assert (centred.ids, centred.scores.tolist()) == (("c", "b", "a"), [1.0, 0.0, -1.0])


def test_a_head_finds_the_image_itself_when_it_has_no_name() -> None:
    backbone = clip().double()
    terms = decompose(backbone, random_images(backbone, 6), layers=[2], tokens=True)
    bank = HeadBank.from_contributions(terms, [str(place) for place in range(6)])
    query = terms.map(lambda values: values[4:5])
    for similarity in ("cosine", "centred"):
        found = image_neighbors(query, bank, head=(2, 1), similarity=similarity)  # type: ignore[arg-type]
        assert found.ids[0] == "4"
        assert float(found.scores[0]) == pytest.approx(1.0)
        named = image_neighbors(query, bank, head=(2, 1), similarity=similarity, query_id="4")  # type: ignore[arg-type]
        assert named.ids == found.ids[1:]


def test_maps_of_one_head_and_of_all() -> None:
    backbone = clip().double()
    image = random_images(backbone, 1)
    terms = decompose(backbone, image, layers=[1, 2], tokens=True)
    text = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit, length = F.normalize(text, dim=0), terms.embedding.norm()
    one = topic_segmentation(terms, text, text="an owl", grid=(4, 4), head=(2, 1))
    expected = terms.heads[0, 1, 1:, 1] @ unit / length
    torch.testing.assert_close(one.values, expected.view(4, 4), check_dtype=False, rtol=1e-5, atol=1e-7)
    assert (one.text, one.heads) == ("an owl", "layer 2 head 1")
    every = topic_segmentation(terms, text, text="an owl", grid=(4, 4))
    parts = [
        topic_segmentation(terms, text, text="an owl", grid=(4, 4), head=(layer, head)).values
        for layer in (1, 2)
        for head in range(3)
    ]
    torch.testing.assert_close(every.values, torch.stack(parts).sum(0))
    centred = topic_segmentation(terms, text, text="an owl", grid=(4, 4), similarity="centred")
    torch.testing.assert_close(centred.values, every.values - every.values.mean())


def test_two_planted_objects_are_told_apart() -> None:
    """Two heads in two layers write two texts at two corners of 3 x 3 patches; the class token writes both."""
    heads = torch.zeros(1, 2, 10, 2, 4)
    heads[0, :, 0] = 50.0
    heads[0, 0, 1 + 0, 0, 0] = 3.0  # the first text, at the upper left, in two heads of different layers
    heads[0, 1, 1 + 0, 1, 0] = 1.0
    heads[0, 1, 1 + 8, 0, 1] = 2.0  # the second text, at the lower right
    heads[0, :, 1:, :, 2] = 7.0  # of no text, everywhere
    texts = torch.eye(4)[:2] * torch.tensor([[5.0], [0.1]])
    maps = contrastive_segmentation(toy(heads, length=2.0), texts, texts=("an owl", "a tree"), grid=(3, 3))
    expected = torch.zeros(3, 3)
    expected[0, 0], expected[2, 2] = 2.0, -1.0
    torch.testing.assert_close(maps.difference, expected)
    assert (maps.limit, float(maps.first[0, 0]), float(maps.second[2, 2])) == (2.0, 2.0, 1.0)
    swapped = contrastive_segmentation(toy(heads), texts.flip(0), texts=("a tree", "an owl"), grid=(3, 3))
    torch.testing.assert_close(swapped.difference, -2 * expected)


def test_two_critters_side_by_side_are_told_apart() -> None:
    backbone = load_backbone("critters-vit-m")
    source = CrittersSource("test", 1, 0)
    decomposer, right = Decomposer(backbone), []
    names = source.class_names[::4]
    texts = backbone.encode_text([f"a photo of a {name}" for name in names])
    halves = [
        resize_image(source.read(index, source.sample_ids(index)[0]), backbone.geometry, "squash")[:, :, ::2]
        for index in range(0, len(source.class_names), 4)
    ]
    pairs = [(place, (place + 3) % len(names)) for place in range(len(names))]
    joined = torch.stack([torch.cat([halves[one], halves[other]], dim=2) for one, other in pairs])
    terms = decomposer(joined, tokens=True)
    for place, (one, other) in enumerate(pairs):
        maps = contrastive_segmentation(
            terms.map(lambda values, place=place: values[place : place + 1]),  # type: ignore[misc]
            texts[[one, other]],
            texts=(names[one], names[other]),
            grid=backbone.grid,
        )
        right.append(bool(maps.difference[:, :4].mean() > maps.difference[:, 4:].mean()))
    assert sum(right) >= len(right) - 1  # chance would be half of them


@pytest.mark.parametrize(
    ("query", "grid", "message"),
    [
        (random_toy(2, 1, 5, 3, 4), (2, 2), "contributions of one image, got those of 2"),
        (random_toy(1, 1, 3, 4), (2, 2), "decompose with tokens=True"),
        (random_toy(1, 1, 5, 3, 4), (3, 2), "at most 5 patches, got 3 x 2"),
    ],
)
def test_queries_without_a_map(query: HeadContributions, grid: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        topic_segmentation(query, torch.ones(4), text="an owl", grid=grid)
    with pytest.raises(ValueError, match=message):
        contrastive_segmentation(query, torch.eye(4)[:2], texts=("an owl", "a tree"), grid=grid)


def test_what_is_asked_for_must_be_there() -> None:
    with pytest.raises(ValueError, match=r"Expected two texts \(2, d\), got \(3, 4\)"):
        contrastive_segmentation(random_toy(1, 1, 5, 3, 4), torch.ones(3, 4), texts=("a", "b"), grid=(2, 2))
    with pytest.raises(ValueError, match=r"Expected heads of the layers \[3\], 0 to 1, got \[\(2, 0\)\]"):
        image_neighbors(QUERY, BANK, head=(2, 0))
    with pytest.raises(ValueError, match=r"got \[\(3, 2\)\]"):
        text_neighbors(torch.ones(2), BANK, text="a street", head=(3, 2))
    with pytest.raises(ValueError, match="contributions of one image"):
        image_neighbors(random_toy(2, 1, 2, 2, layers=(3,)), BANK, head=(3, 0))
