from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from region_groups import region_context, region_labels, region_pixels
from saliency_references import masked_embedding
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts.region_encoders import MaskedRegions, embed_parts
from mkbench.errors import BackboneError


def test_a_part_is_what_the_model_sees_of_its_patches(tiny_model: Path) -> None:
    backbone, labels = load_backbone(f"local-dir:{tiny_model}"), region_labels()
    context = region_context(backbone)
    found, boxes = embed_parts(labels, region_pixels(), context, MaskedRegions())
    assert boxes == 0
    for image, part in [(0, 0), (0, 1), (0, 2), (2, 1), (3, 2)]:
        hidden = tuple((labels[image].flatten() != part).nonzero().flatten().tolist())
        expected = masked_embedding(backbone, context.images[image], hidden)
        torch.testing.assert_close(found[image, part], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0, 0], found[0, 1], atol=1e-2)


def test_all_patches_are_the_whole_image(tiny_model: Path) -> None:
    context = region_context(load_backbone(f"local-dir:{tiny_model}"))
    found, _ = embed_parts(region_labels(), region_pixels(), context, MaskedRegions())
    torch.testing.assert_close(found[3, 2], context.image_embedding[3], rtol=1e-4, atol=1e-5)


def test_models_without_attention_are_refused_by_name() -> None:
    with pytest.raises(BackboneError, match="plain attention for region_encoder 'masked', found colours; choose such"):
        MaskedRegions().require_backbone(ColourBackbone())


def test_a_context_without_a_model_is_refused(tiny_model: Path) -> None:
    context = replace(region_context(load_backbone(f"local-dir:{tiny_model}")), backbone=None)
    with pytest.raises(ValueError, match="a backbone for region_encoder 'masked', found none"):
        embed_parts(region_labels(), region_pixels(), context, MaskedRegions())
