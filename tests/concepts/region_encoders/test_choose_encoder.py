from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from region_groups import region_context, region_labels
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts import ClusterImportance, GradEclip, PartsExplainer, RandomParts, SaliencyParts
from mkbench.concepts.region_encoders import REGION_ENCODERS, choose_region_encoder
from mkbench.datamodules import Critters
from mkbench.errors import BackboneError
from mkbench.systems import MutualKnowledge


def test_prompts_are_those_given_and_the_ring_is_one() -> None:
    assert choose_region_encoder("prompts", ("grey",)).prompts == ("grey",)
    assert choose_region_encoder("ring").prompts == ("ring",)
    assert [choose_region_encoder(name).needs_patch_values for name in REGION_ENCODERS] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region_encoder": "box"}, "must be one of prompts, ring, crop, masked, pooled, found 'box'"),
        (
            {"region_encoder": "crop", "prompts": ("ring",)},
            r"for region_encoder 'prompts' alone, found \('ring',\) with",
        ),
    ],
)
def test_wrong_choices_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PartsExplainer(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda name: PartsExplainer(region_encoder=name),
        lambda name: RandomParts(region_encoder=name),
        lambda name: ClusterImportance(region_encoder=name),
        lambda name: SaliencyParts(GradEclip(), region_encoder=name),
    ],
    ids=["parts", "random", "cci", "saliency"],
)
def test_every_explainer_with_parts_records_its_choice(make: Callable[[str], PartsExplainer]) -> None:
    recorded = [make(name).settings() for name in REGION_ENCODERS]
    assert [each["region_encoder"] for each in recorded] == list(REGION_ENCODERS)
    assert [each["prompts"] for each in recorded] == [["ring", "grey", "blur"], ["ring"], [], [], []]


@pytest.mark.parametrize("name", REGION_ENCODERS)
def test_parts_do_not_depend_on_the_chunk(tiny_model: Path, name: str) -> None:
    context = region_context(load_backbone(f"local-dir:{tiny_model}"))
    whole, small = (PartsExplainer(chunk=n, num_parts=3, topk=2, region_encoder=name).explain(context) for n in (96, 2))
    torch.testing.assert_close(whole.part_embeddings, small.part_embeddings, rtol=1e-4, atol=1e-5)
    present = whole.part_labels.flatten(1)[..., None] == torch.arange(3)
    assert torch.equal(whole.present, present.any(dim=1))
    assert torch.equal(whole.part_embeddings.norm(dim=2) > 0, whole.present)
    assert not whole.present[1].any()


@pytest.mark.parametrize("name", REGION_ENCODERS)
def test_a_group_without_parts_has_none(tiny_model: Path, name: str) -> None:
    context = region_context(load_backbone(f"local-dir:{tiny_model}"))
    nothing = torch.zeros_like(region_labels(), dtype=torch.bool)
    explained = PartsExplainer(region_encoder=name).explain(replace(context, foreground_patches=nothing))
    assert not explained.part_embeddings.any()
    assert explained.fallbacks["no_foreground"] == 4


def test_forward_passes_are_what_they_are_said_to_be(tiny_model: Path) -> None:
    """One an image that all share, and three, one or none for each part."""
    data = Critters(images_per_class=3, limit_classes=1, num_workers=0)
    passes = {}
    for name in REGION_ENCODERS:
        explainers = [PartsExplainer(topk=2, pool=62, region_encoder=name)]
        system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=12, explainers=explainers)
        system.prepare(data)
        explained = system.explain_group(data.dataset(system.geometry, data.specs)[0]).explained["pca"].explanation
        passes[name] = system.backbone.prepared_images - 3
    parts = int(explained.present.sum())
    assert parts > 3
    assert passes == {"prompts": 3 * parts, "ring": parts, "crop": parts, "masked": parts, "pooled": 0}


@pytest.mark.parametrize("name", ["masked", "pooled"])
def test_a_run_refuses_a_model_before_its_first_image(name: str) -> None:
    explainers = [PartsExplainer(region_encoder=name)]
    system = MutualKnowledge(ColourBackbone(), num_language_concepts=12, explainers=explainers)
    with pytest.raises(BackboneError, match=f"for region_encoder '{name}', found colours"):
        system.prepare(Critters(images_per_class=1, limit_classes=1, num_workers=0))
