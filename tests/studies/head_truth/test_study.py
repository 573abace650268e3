from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_contributions import toy

from mkbench import load_backbone
from mkbench.backbones import Geometry
from mkbench.datamodules import ClassGroup, Critters
from mkbench.datamodules.critters_world import load_world
from mkbench.heads.head_factors import PairMoves
from mkbench.heads.head_values import embedding_lengths
from mkbench.heads.token_readings import TokenReadings
from mkbench.studies.head_truth.study import describe_truth, measure_group, part_directions
from mkbench.systems import HeadDecomposition

FACTORS = ("colour", "legs", "wings", "background")
GEOMETRY = Geometry(size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
#: Heads of the planted model: each writes one factor, the last one noise.
LABELS = {(0, 0): "colour", (0, 1): "leg", (0, 2): "wing", (0, 3): "ground", (0, 4): "tail"}


class Planted:
    """Model whose head h adds the descriptors of factor h that an image shows, looked up by its pixels."""

    encoder_chunk, layers, device = 7, (0,), torch.device("cpu")

    def __init__(self, texts: Tensor) -> None:
        self.texts = texts
        self.shown: dict[bytes, Tensor] = {}
        facts = ["colour", "legs", "wings", "ground"]
        of_factor = [[set(entry.requires) == {fact} for entry in load_world().descriptors] for fact in facts]
        self.of_factor = torch.tensor(of_factor)
        self.backbone = type("Grid", (), {"grid": (4, 4), "patch_size": 8})

    def learn(self, group: ClassGroup) -> None:
        known: Any = group.ground_truth
        images = [*group.images, *known.changed_images.flatten(0, 1)]
        shown = [*known.descriptors, *known.changed_descriptors.flatten(0, 1)]
        self.shown |= {image.numpy().tobytes(): truth for image, truth in zip(images, shown, strict=True)}

    @property
    def decomposer(self) -> Any:
        return self

    def __call__(self, images: Tensor, *, layers: Any) -> Any:
        shown = torch.stack([self.shown[image.numpy().tobytes()] for image in images])  # (images, bank)
        written = (shown[:, None] & self.of_factor).to(self.texts) @ self.texts  # (images, 4, dim)
        seeds = [int(image.long().sum()) for image in images]
        noise = torch.stack(
            [torch.randn(1, written.shape[2], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        )
        terms = toy(torch.cat([written, noise], dim=1)[:, None])
        # The last coordinate, which no head and no text has, keeps all embeddings at one length.
        embedding = written.sum(dim=1)
        embedding[:, -1] = (400 - embedding.square().sum(dim=1)).sqrt()
        return replace(terms, embedding=embedding)

    def read_tokens(self, images: Tensor) -> TokenReadings:
        n, dim = len(images), self.texts.shape[1]
        return TokenReadings(
            mixed=(torch.zeros(n, 17, 1, dim),),
            folds=(torch.eye(dim)[None],),
            embedding=torch.ones(n, dim),
            attention=torch.ones(n, 1, 1, 17),
            layers=(0,),
        )


@pytest.fixture(scope="module")
def planted() -> dict[str, Any]:
    """What is found of the planted model over pairs of an image of every third class."""
    data = Critters(images_per_class=1, num_workers=0, intervention=list(FACTORS))
    texts = torch.nn.functional.normalize(
        torch.randn(len(data.bank), 16, generator=torch.Generator().manual_seed(1)), dim=1
    )
    texts[:, -1] = 0
    model: Any = Planted(texts)
    dataset = data.dataset(GEOMETRY, data.specs[::3], with_ground_truth=True)
    found = []
    for place in range(len(dataset)):
        group = dataset[place]
        model.learn(group)
        known: Any = group.ground_truth
        found.append(measure_group(model, group, known, texts, class_index=place).moves)
    moves = PairMoves(*(torch.cat(each) for each in zip(*found, strict=True)))
    return describe_truth(moves, FACTORS, LABELS, layers=(0,), num_heads=5)


def test_head_that_writes_one_factor_has_all_of_its_share(planted: dict[str, Any]) -> None:
    assert planted["images"] == 11
    for head, factor in zip(planted["heads"], FACTORS, strict=False):
        assert head["most"] == factor
        share = head["shares"][factor]  # embeddings are divided by their length: to the last digits
        assert [share["value"], *share["interval"]] == pytest.approx([1.0] * 3, abs=1e-12)
        assert head["separates"]


def test_head_that_writes_noise_has_the_share_of_chance(planted: dict[str, Any]) -> None:
    noise = planted["heads"][4]
    assert [share["value"] for share in noise["shares"].values()] == pytest.approx([0.25] * 4, abs=0.15)
    assert not noise["separates"]


def test_true_labels_are_right_and_carry_the_change(planted: dict[str, Any]) -> None:
    labels, routes = planted["labels"]["most"], planted["routes"]
    assert planted["heads"][4]["named"] == []  # nothing is changed that its label names
    assert (labels["heads"], labels["accuracy"]["value"], labels["permuted"]) == (4, 1.0, 0.25)
    assert labels["gain"] == {"value": 0.75, "interval": [0.75, 0.75]}
    assert routes["own"]["value"] == pytest.approx(1.0)
    assert routes["mispaired"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert planted["heads"][0]["routes"]["colour"] == pytest.approx(1.0)


def test_part_directions_are_means_of_what_is_shown() -> None:
    data = Critters(images_per_class=1, limit_classes=1, num_workers=0)
    group = data.dataset(GEOMETRY, data.specs, with_ground_truth=True)[0]
    known: Any = group.ground_truth
    texts = torch.randn(len(data.bank), 8, generator=torch.Generator().manual_seed(2))
    directions = part_directions(known, texts)
    for place, part in enumerate(known.part_names):
        rows = [
            texts[index]
            for index, entry in enumerate(load_world().descriptors)
            if entry.part == part and known.descriptors[0, index]
        ]
        expected = torch.stack(rows).mean(dim=0) - texts.mean(dim=0)
        torch.testing.assert_close(directions[0, place], expected / expected.norm())


def test_trained_heads_of_a_bundled_model() -> None:
    """Shares are those of the model's own contributions, taken pair by pair."""
    data = Critters(images_per_class=1, limit_classes=2, num_workers=0, intervention=["colour", "tail"])
    system = HeadDecomposition(load_backbone("critters-vit-s"), encoder_chunk=3)
    system.prepare_classes(data.class_names, data.templates)
    texts = system.text_cache.embed_bank(system.backbone, data.bank.descriptors, "{}")
    group = data.dataset(system.geometry, data.specs, with_ground_truth=True)[1]
    known: Any = group.ground_truth
    found = measure_group(system, group, known, texts, class_index=1)
    centred = (texts - texts.mean(dim=0)).double()
    for place, changed in enumerate(known.changed_images[0]):
        terms = [system.decomposer(image[None], layers=system.layers) for image in (group.images[0], changed)]
        before, after = (each.heads[0].flatten(0, 1) / embedding_lengths(each.embedding) for each in terms)
        energy = ((after - before).double() @ centred.T).square().mean(dim=1)
        torch.testing.assert_close(found.moves.energies[0, place], energy, rtol=1e-3, atol=1e-9)
    assert found.moves.energies[0, 0].sum() > found.moves.energies[0, 1].sum()  # a coat is larger than a tail
    assert bool((found.part_maps.own[0, :1] > 0.1).all())  # of the coat
