from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from region_groups import region_context, region_labels, region_pixels
from saliency_references import value_of_patch
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts.region_encoders import PooledRegions, embed_parts
from mkbench.errors import BackboneError


def test_a_part_is_the_mean_direction_of_its_patches(tiny_model: Path) -> None:
    backbone, labels = load_backbone(f"local-dir:{tiny_model}"), region_labels()
    context = region_context(backbone)
    found, boxes = embed_parts(labels, region_pixels(), context, PooledRegions())
    assert boxes == 0
    for image, part in [(0, 0), (0, 1), (0, 2), (2, 1), (3, 2)]:
        patches = (labels[image].flatten() == part).nonzero().flatten().tolist()
        total = sum(value_of_patch(backbone, context.images[image], patch) for patch in patches)
        torch.testing.assert_close(found[image, part], total / total.norm(), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0, 0], found[0, 1], atol=1e-2)


def test_no_further_image_passes_the_model(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    context = region_context(backbone)
    before = backbone.prepared_images
    embed_parts(region_labels(), region_pixels(), context, PooledRegions())
    assert backbone.prepared_images == before


def test_models_without_attention_are_refused_by_name() -> None:
    with pytest.raises(BackboneError, match="plain attention for region_encoder 'pooled', found colours; choose such"):
        PooledRegions().require_backbone(ColourBackbone())


def test_a_context_without_value_features_is_refused(tiny_model: Path) -> None:
    context = replace(region_context(load_backbone(f"local-dir:{tiny_model}")), patch_values=None)
    with pytest.raises(ValueError, match="must have patch_values for region_encoder 'pooled', found none"):
        embed_parts(region_labels(), region_pixels(), context, PooledRegions())
