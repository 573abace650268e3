from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor
from toy_classes import CentreSaliency, ColourBackbone

from mkbench.backbones import Backbone
from mkbench.concepts import (
    AttentionRollout,
    ClipSurgery,
    Explainer,
    GradCam,
    GroupContext,
    GroupExplanation,
    PartsExplainer,
    SaliencyMethod,
    SaliencyParts,
    refine_crf,
    upscale_nearest,
)
from mkbench.concepts.saliency_parts import keep_most_salient
from mkbench.datamodules import Critters
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.systems import MutualKnowledge


class Given:
    """A saliency method that returns given maps, those of the first images of a group first."""

    name = "given"

    def __init__(self, maps: Tensor) -> None:
        self.maps, self.calls = maps, []

    def settings(self) -> dict[str, object]:
        return {"of": "a test"}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        start = sum(self.calls)
        self.calls.append(len(images))
        return self.maps[start : start + len(images)]


def toy_group(images: int = 4) -> GroupContext:
    """Four images of a toy backbone, with a published foreground of 6, 5, 1 and 0 patches."""
    generator = torch.Generator().manual_seed(0)
    backbone = ColourBackbone()
    pixels = torch.randint(0, 256, (images, 3, 16, 16), generator=generator, dtype=torch.uint8)
    features, embedding = backbone.patch_features(pixels)
    bank, classes = (
        torch.nn.functional.normalize(torch.randn(rows, 8, generator=generator), dim=1) for rows in (20, images)
    )
    foreground = torch.arange(16).reshape(1, 4, 4) < torch.tensor([6, 5, 1, 0])[:images, None, None]
    return GroupContext(
        images=pixels,
        features=features.detach(),
        image_embedding=torch.nn.functional.normalize(embedding.detach(), dim=1),
        bare_embeddings=bank,
        prompted_embeddings=bank,
        foreground_patches=foreground,
        foreground_pixels=upscale_nearest(foreground, 16),
        seed=3,
        encode=lambda pixels: backbone.encode_image(pixels).detach(),
        backbone=backbone,
        class_embedding=classes,
    )


def assert_same(explained: GroupExplanation, expected: GroupExplanation) -> None:
    assert torch.equal(explained.part_labels, expected.part_labels)
    assert torch.equal(explained.part_pixels, expected.part_pixels)
    assert torch.equal(explained.descriptor_ids, expected.descriptor_ids)
    torch.testing.assert_close(explained.part_embeddings, expected.part_embeddings)


@pytest.mark.parametrize("of", ["pca", "kmeans"])
def test_a_map_of_the_published_foreground_gives_the_published_parts(of: str) -> None:
    context = toy_group()
    explained = SaliencyParts(Given(context.foreground_patches.float()), of=of).explain(context)
    expected = PartsExplainer(of).explain(context)
    assert_same(explained, expected)
    assert explained.fallbacks == expected.fallbacks | {"filled_up": 0}
    assert explained.explainer == {"pca": "given", "kmeans": "given_kmeans"}[of]


def test_pixels_are_refined_where_those_of_the_published_foreground_are() -> None:
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    image[..., 10:] = 255  # the CRF cuts the salient columns 8 to 15 down to 10 to 15
    context = replace(toy_group(1), images=image, foreground_patches=torch.tensor([[[False, False, True, True]] * 4]))
    refined = torch.arange(16).ge(10).expand(1, 16, 16)
    assert torch.equal(refine_crf(image, upscale_nearest(context.foreground_patches, 16)), refined)
    method = Given(context.foreground_patches.float())
    explained = SaliencyParts(method).explain(replace(context, refine="crf"))
    assert_same(explained, PartsExplainer().explain(replace(context, foreground_pixels=refined)))


def test_as_many_patches_as_the_published_foreground_has_lie_elsewhere() -> None:
    context = toy_group()
    maps = torch.arange(16.0).reshape(1, 4, 4).expand(4, -1, -1)  # rises to the last patch
    labels = SaliencyParts(Given(maps)).explain(context).part_labels.flatten(1)
    assert [(row >= 0).nonzero().flatten().tolist() for row in labels] == [
        [10, 11, 12, 13, 14, 15],
        [11, 12, 13, 14, 15],
        [15],
        [],
    ]


def test_a_share_is_the_same_for_every_image_and_rounded_up() -> None:
    maps = torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(1)) + 0.1
    explained = SaliencyParts(Given(maps), share=0.2).explain(toy_group())
    assert (explained.part_labels >= 0).flatten(1).sum(1).tolist() == [4, 4, 4, 4]  # 0.2 * 16 = 3.2
    assert (SaliencyParts(Given(maps), share=1.0).explain(toy_group()).part_labels >= 0).all()


def test_equal_values_are_kept_in_raster_order() -> None:
    maps = torch.tensor([[[1.0, 2.0, 1.0], [2.0, 1.0, 0.5]]]).expand(3, -1, -1)
    kept = keep_most_salient(maps, torch.tensor([3, 1, 0]))
    assert kept.int().tolist() == [[[1, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]


def test_maps_without_anything_salient() -> None:
    maps = torch.stack(
        [
            torch.zeros(4, 4),  # nothing is salient
            -torch.rand(4, 4, generator=torch.Generator().manual_seed(0)),  # everything speaks against the class
            torch.full((4, 4), -1.0).index_fill_(0, torch.tensor(2), 3.0),  # a row is salient, three patches fill up
            torch.full((4, 4), 1e-30),  # the faintest saliency is one
        ]
    )
    explained = SaliencyParts(Given(maps), share=7 / 16).explain(toy_group())
    assert (explained.part_labels >= 0).flatten(1).sum(1).tolist() == [0, 0, 7, 7]
    assert (explained.part_labels[2] >= 0).int().tolist() == [[1, 1, 1, 0], [0] * 4, [1] * 4, [0] * 4]
    assert explained.fallbacks["no_foreground"] == 2
    assert explained.fallbacks["filled_up"] == 1
    assert explained.vision.counts[:2].tolist() == [0, 0]


def test_one_patch_is_one_part() -> None:
    maps = torch.zeros(1, 4, 4)
    maps[0, 2, 1] = 5.0
    explained = SaliencyParts(Given(maps), share=1 / 16).explain(toy_group(1))
    assert explained.present.sum() == 1
    assert explained.fallbacks["single_part"] == 1
    mask = explained.image(0).parts[0].mask
    assert mask.nonzero().amin(0).tolist() == [8, 4]
    assert mask.nonzero().amax(0).tolist() == [11, 7]


def test_settings_name_what_changes_numbers() -> None:
    parts = SaliencyParts(Given(torch.zeros(0)), share=0.3, map_chunk=2)
    assert {name: parts.settings()[name] for name in ("of", "share", "method")} == {
        "of": "pca",
        "share": 0.3,
        "method": {"of": "a test"},
    }
    assert "map_chunk" not in parts.settings()


def test_maps_are_made_in_chunks() -> None:
    context = toy_group()
    methods = [Given(context.foreground_patches.float()) for _ in range(2)]
    whole, chunked = (
        SaliencyParts(method, map_chunk=chunk).explain(context) for method, chunk in zip(methods, (8, 3), strict=True)
    )
    assert [method.calls for method in methods] == [[4], [3, 1]]
    assert_same(chunked, whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share must be above 0 and at most 1, found 0.0"),
        ({"share": 1.5}, "share must be above 0 and at most 1, found 1.5"),
        ({"map_chunk": 0}, "map_chunk must be at least 1, found 0"),
        ({"of": "map"}, "must be one of pca, kmeans, found 'map'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SaliencyParts(Given(torch.zeros(0)), **options)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (torch.zeros(4, 16), r"the maps of given must have shape \(4, 4, 4\), found \(4, 16\)"),
        (torch.full((4, 4, 4), torch.nan), "maps of given must be finite"),
    ],
)
def test_broken_maps_are_noticed(maps: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SaliencyParts(Given(maps)).explain(toy_group())


@pytest.mark.parametrize("missing", ["backbone", "class_embedding"])
def test_a_context_without_model_or_classes_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="must have a backbone and class_embedding for saliency maps"):
        SaliencyParts(CentreSaliency()).explain(replace(toy_group(), **{missing: None}))


def test_the_context_checks_the_classes() -> None:
    with pytest.raises(ValueError, match=r"class_embedding must have shape \(4, 8\) to fit"):
        replace(toy_group(), class_embedding=torch.zeros(4, 7))


@pytest.fixture
def explain(tiny_model: Path) -> Callable[..., GroupExplanation]:
    """Explains a class group of the bundled images with the tiny model, as a run does."""

    def run(explainer: Explainer, *, encoder_chunk: int = 64) -> GroupExplanation:
        system = MutualKnowledge(
            f"local-dir:{tiny_model}",
            num_language_concepts=12,
            refine="components",
            explainers=[explainer],
            encoder_chunk=encoder_chunk,
        )
        data = Critters(images_per_class=5, limit_classes=1, num_workers=0)
        system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
        group: ClassGroup = data.dataset(system.geometry, data.specs)[0]
        with torch.inference_mode():
            return system.explain_group(group).explained[explainer.name].explanation

    return run


@pytest.mark.parametrize("make", [GradCam, AttentionRollout])
def test_chunks_change_no_result(make: Callable[[], SaliencyMethod], explain: Callable[..., GroupExplanation]) -> None:
    if make is GradCam:
        pytest.importorskip("captum")
    whole = explain(SaliencyParts(make(), pool=62, share=0.4))
    chunked = explain(SaliencyParts(make(), pool=62, share=0.4, map_chunk=2), encoder_chunk=3)
    assert whole.present.any(dim=1).sum() >= 4
    assert_same(chunked, whole)


def predict(command: Callable[..., Any], words: list[str], explainers: list[dict[str, Any]]) -> Any:
    Path("explainers.yaml").write_text(yaml.safe_dump(explainers), encoding="utf-8")
    return command(*words, "--model.explainers=explainers.yaml")


def entry(method: str, **options: object) -> dict[str, Any]:
    return {"class_path": "mkbench.concepts.SaliencyParts", "init_args": {"method": method, "pool": 62, **options}}


def test_a_method_of_a_users_own_is_named_in_a_configuration(
    command: Callable[..., Any], predict_words: list[str]
) -> None:
    method = {"class_path": "toy_classes.CentreSaliency", "init_args": {"width": 2.0}}
    outcome = predict(command, predict_words, [entry(method, share=0.25)])  # type: ignore[arg-type]
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert {metric["explainer"] for metric in results["metrics"]} == {None, "centre"}
    assert results["settings"]["explainers"]["centre"]["method"] == {"width": 2.0}
    assert results["fallbacks"]["centre"]["no_foreground"] == 0


def test_what_is_missing_is_said_in_one_sentence(
    command: Callable[..., Any], predict_words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    outcome = predict(command, predict_words, [entry("mkbench.concepts.GradCam")])
    assert outcome.code == 2
    assert "install it with pip install 'mkbench[saliency]'" in outcome.error
    assert outcome.error.count("\n") == 1


def test_towers_without_a_class_token_are_refused_in_one_sentence(
    command: Callable[..., Any], predict_words: list[str]
) -> None:
    words = [word for word in predict_words if not word.startswith("--model.backbone")]
    words.append("--model.backbone=critters-rn")
    outcome = predict(command, words, [entry("mkbench.concepts.AttentionRollout")])
    assert outcome.code == 1
    assert outcome.error.startswith("mkbench: Expected a vision transformer of open_clip with a class token")
    assert outcome.error.count("\n") == 1


class Contrast:
    """A method that compares classes: the cosine of the class of each image with the mean of all."""

    name = "contrast"

    def settings(self) -> dict[str, object]:
        return {}

    def contrastive_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor, classes: Tensor) -> Tensor:
        return (class_embedding @ classes.mean(dim=0))[:, None, None].expand(-1, *backbone.grid)


def test_a_method_that_compares_classes_is_given_all_of_them() -> None:
    context = toy_group()
    assert context.class_embedding is not None
    classes = torch.nn.functional.normalize(torch.randn(7, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    maps = SaliencyParts(Contrast(), map_chunk=3).saliency(replace(context, classes=classes))
    torch.testing.assert_close(maps[:, 0, 0], context.class_embedding @ classes.mean(dim=0))
    with pytest.raises(ValueError, match="context must have all classes for the maps of clip-surgery, found none"):
        SaliencyParts(ClipSurgery()).saliency(context)
