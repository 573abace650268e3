import dataclasses
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from mkbench.concepts import (
    GroupContext,
    PartsExplainer,
    assign_descriptors,
    kmeans_parts,
    part_masks,
    pca_parts,
    render_prompts,
)


def toy_encoder(pixels):
    """Sixteen means over a 4 x 4 grid of each image: enough to tell prompted regions apart."""
    blocks = pixels.float().mean(dim=1).unflatten(1, (4, -1)).unflatten(3, (4, -1))
    return blocks.mean(dim=(2, 4)).flatten(1) - 100


def toy_group(images=4, size=32, grid=4, bank=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (images, 3, size, size), generator=generator, dtype=torch.uint8)
    foreground = torch.rand(images, grid, grid, generator=generator) < 0.6
    bare = torch.nn.functional.normalize(torch.randn(bank, 16, generator=generator), dim=1)
    return GroupContext(
        images=pixels,
        features=torch.randn(images, grid * grid, 12, generator=generator),
        image_embedding=torch.nn.functional.normalize(toy_encoder(pixels), dim=1),
        bare_embeddings=bare,
        prompted_embeddings=torch.nn.functional.normalize(bare + 0.05, dim=1),
        foreground_patches=foreground,
        foreground_pixels=torch.ones(images, size, size, dtype=torch.bool),
        seed=11,
        encode=toy_encoder,
    )


@pytest.mark.parametrize(
    ("name", "partition"), [("pca", pca_parts), ("kmeans", lambda rows, parts: kmeans_parts(rows, parts, seed=11))]
)
def test_group_equals_its_images_one_by_one(name, partition):
    group = toy_group()
    explained = PartsExplainer(name).explain(group)
    rows = group.features[group.foreground_patches.flatten(1)]
    assert explained.part_labels[group.foreground_patches].tolist() == partition(rows, 5).tolist()
    assert (explained.part_labels[~group.foreground_patches] == -1).all()
    relevance = group.image_embedding.double() @ group.bare_embeddings.double().T
    for image in range(4):
        numbers = explained.present[image].nonzero().flatten().tolist()
        masks = part_masks(explained.part_labels, 5, 32)[image, numbers]
        rendered = torch.stack([render_prompts(group.images[image], mask) for mask in masks])
        encoded = toy_encoder(rendered.flatten(0, 1)).reshape(len(numbers), 3, 16)
        embeddings = (encoded / encoded.norm(dim=2, keepdim=True)).mean(dim=1)
        torch.testing.assert_close(explained.part_embeddings[image, numbers], embeddings)
        logits = embeddings.double() @ group.prompted_embeddings.double().T
        expected = [ids.tolist() for ids in assign_descriptors(logits, relevance[image])]
        view = explained.image(image)
        assert [part.descriptor_ids.tolist() for part in view.parts] == expected
        merged = sorted({i for ids in expected for i in ids}, key=lambda i: -relevance[image, i].item())
        assert view.concept_ids.tolist() == merged
        np.testing.assert_allclose(view.importance, 2.5 * relevance[image, merged])


def test_chunks_change_no_result_and_bound_the_calls():
    calls = []

    def encode(pixels):
        calls.append(len(pixels))
        return toy_encoder(pixels)

    group = dataclasses.replace(toy_group(), encode=encode)
    whole = PartsExplainer().explain(group)
    parts = int(whole.present.sum())
    assert calls == [3 * parts]
    calls.clear()
    chunked = PartsExplainer(chunk=4).explain(group)
    assert calls == [12] * (parts // 4) + [3 * (parts % 4)] * (parts % 4 > 0)
    torch.testing.assert_close(chunked.part_embeddings, whole.part_embeddings)
    # Batches of another size differ by rounding, far less than the similarities of these random descriptors.
    assert torch.equal(chunked.descriptor_ids, whole.descriptor_ids)


def test_image_without_foreground_leaves_the_rest_alone():
    group = toy_group()
    group.foreground_patches[2] = False
    explained = PartsExplainer().explain(group)
    assert explained.fallbacks["no_foreground"] == 1
    assert explained.vision.counts[2] == 0
    assert explained.image(2).parts == ()
    assert not explained.part_embeddings[2].any()
    assert (explained.vision.counts[[0, 1, 3]] > 0).all()


def test_group_without_any_foreground():
    group = toy_group()
    group.foreground_patches[:] = False
    explained = PartsExplainer("kmeans").explain(group)
    assert explained.fallbacks == {
        "no_foreground": 4,
        "empty_candidates": 0,
        "few_candidates": 0,
        "single_part": 0,
        "contour_box": 0,
        "refined_part_empty": 0,
    }
    assert (explained.descriptor_ids == -1).all()


def test_refined_pixels_cut_parts_unless_nothing_is_left():
    group = toy_group(images=1)
    group.foreground_patches[:] = False
    group.foreground_patches[0, 0, 0] = group.foreground_patches[0, 3, 3] = True
    group.foreground_pixels[:] = False
    group.foreground_pixels[0, :5, :4] = True
    explained = PartsExplainer("kmeans", num_parts=2).explain(group)
    first, second = explained.part_labels[0, 0, 0], explained.part_labels[0, 3, 3]
    assert explained.part_pixels[0, first].sum() == 20
    assert explained.part_pixels[0, second].sum() == 64  # the whole patch of 8 x 8 pixels: nothing was left of it
    assert explained.fallbacks["refined_part_empty"] == 1


def test_special_cases_are_counted():
    group = toy_group(images=2)
    group.foreground_patches[:] = False
    group.foreground_patches[0, 1, 1] = True
    group.foreground_patches[1, 2, 2] = True
    group.foreground_pixels[:] = False
    group.foreground_pixels[:, 8:10, 8:10] = True  # four pixels of the first part, none of the second
    fallbacks = PartsExplainer().explain(group).fallbacks
    assert fallbacks["single_part"] == 2
    assert fallbacks["contour_box"] == 1
    few = PartsExplainer(pool=2).explain(group).fallbacks
    assert few["few_candidates"] == 2
    many = PartsExplainer(pool=1).explain(toy_group()).fallbacks
    assert many["empty_candidates"] > 0
    assert many["single_part"] == 0


def test_prompts_decide_what_is_encoded():
    seen = []

    def encode(pixels):
        seen.append(pixels)
        return toy_encoder(pixels)

    explained = PartsExplainer(prompts=("grey",)).explain(dataclasses.replace(toy_group(), encode=encode))
    assert len(seen[0]) == explained.present.sum()
    image, part = explained.present.nonzero()[0].tolist()
    expected = render_prompts(toy_group().images[image], explained.part_pixels[image, part])[1]
    assert torch.equal(seen[0][0], expected)


def test_stages_are_announced_in_order():
    seen = []

    @contextmanager
    def stage(name):
        seen.append(name)
        yield

    PartsExplainer().explain(dataclasses.replace(toy_group(), stage=stage))
    assert seen == ["partition", "render", "encode", "assign"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "dbscan"}, "must be one of pca, kmeans, found 'dbscan'"),
        ({"num_parts": 0}, "num_parts must be at least 1, found 0"),
        ({"chunk": 0}, "chunk must be at least 1, found 0"),
        ({"prompts": ("circle",)}, "prompts must be"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PartsExplainer(**options)


def test_broken_encoder_is_noticed():
    group = dataclasses.replace(toy_group(), encode=lambda pixels: torch.full((len(pixels), 16), float("nan")))
    with pytest.raises(ValueError, match="embeddings of the regions must be finite"):
        PartsExplainer().explain(group)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", torch.zeros(4, 15, 12)),
        ("image_embedding", torch.zeros(4, 15)),
        ("prompted_embeddings", torch.zeros(59, 16)),
        ("foreground_pixels", torch.zeros(4, 16, 16, dtype=torch.bool)),
        ("foreground_patches", torch.zeros(3, 4, 4, dtype=torch.bool)),
        ("images", torch.zeros(4, 3, 32, 24, dtype=torch.uint8)),
    ],
)
def test_context_checks_its_shapes(field, value):
    with pytest.raises(ValueError, match="to fit the rest of the group"):
        dataclasses.replace(toy_group(), **{field: value})
