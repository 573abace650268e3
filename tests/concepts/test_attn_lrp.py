from __future__ import annotations

from pathlib import Path

import pytest
import torch
from saliency_references import attn_lrp
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts import AttnLRP
from mkbench.errors import BackboneError, UsageError


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_group_is_its_images_by_the_rules(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = AttnLRP().saliency_maps(backbone, *group)
    expected = torch.stack([attn_lrp(backbone, *pair)[0] for pair in zip(*group, strict=True)])
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(maps.double(), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert not maps.requires_grad


def test_no_rule_makes_or_loses_relevance(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    """What a rule gets is what it passes on and what its constants keep: in all, pixels and constants are the score."""
    backbone, (images, classes) = load_backbone(f"local-dir:{tiny_model}"), group
    maps = AttnLRP().saliency_maps(backbone, images[:1], classes[:1])
    _, rules = attn_lrp(backbone, images[0], classes[0])
    for got, passed, kept in rules.books:
        assert got == pytest.approx(passed + kept, rel=1e-6, abs=1e-9)
    score = float(F.cosine_similarity(backbone.encode_image(images[:1]), classes[:1]))
    constants = sum(kept for _, _, kept in rules.books)
    assert constants != pytest.approx(0, abs=1e-3)
    assert float(maps.sum()) + constants == pytest.approx(score, abs=1e-5)


@pytest.mark.slow
def test_a_large_tower_is_the_rules_to_five_digits() -> None:
    torch.manual_seed(0)
    backbone = load_backbone("ViT-B-16", random_weights=True)
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    classes = F.normalize(torch.randn(1, 512), dim=1)
    maps = AttnLRP().saliency_maps(backbone, image, classes)
    expected = attn_lrp(backbone, image[0], classes[0])[0]
    torch.testing.assert_close(maps[0].double(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_inference_mode_changes_nothing_and_no_hook_stays(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    embedding = backbone.encode_image(group[0])
    expected = AttnLRP().saliency_maps(backbone, *group)
    with torch.inference_mode():
        images, classes = (tensor.clone() for tensor in group)  # as a run makes them: inference tensors
        maps = AttnLRP().saliency_maps(backbone, images, classes)
    torch.testing.assert_close(maps, expected)  # kernels may differ with the mode
    assert torch.equal(backbone.encode_image(group[0]), embedding)
    assert not any(module._forward_hooks for module in backbone.model.visual.modules())


def test_the_rules_leave_the_embedding_as_it_is(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    passed = backbone.embed_with_relevance(group[0])
    torch.testing.assert_close(passed.embedding.detach(), backbone.encode_image(group[0]))


def test_models_without_attention_are_refused() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        AttnLRP().saliency_maps(ColourBackbone(), images, torch.ones(1, 8))


def test_half_precision_is_refused(tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}").to(torch.bfloat16)
    with pytest.raises(UsageError, match="found bfloat16"):
        AttnLRP().saliency_maps(backbone, *group)
