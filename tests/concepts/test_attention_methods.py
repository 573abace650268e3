"""What holds of every saliency method that reads the attention of a class token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from saliency_references import attention_rollout, grad_eclip, legrad
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.concepts import AttentionRollout, GradEclip, LeGrad, SaliencyMethod
from mkbench.errors import BackboneError, UsageError


class Case(NamedTuple):
    """A method, its reference for one image, and how near both are."""

    method: SaliencyMethod
    reference: Callable[[Backbone, Tensor, Tensor], Tensor]
    rtol: float
    atol: float


CASES = [
    pytest.param(Case(AttentionRollout(), attention_rollout, 1e-4, 1e-8), id="rollout"),
    pytest.param(Case(GradEclip(), grad_eclip, 1e-5, 1e-7), id="grad-eclip"),
    pytest.param(Case(LeGrad(), legrad, 1e-5, 1e-7), id="legrad"),
]
pytestmark = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def group() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(5, 32), dim=1)


def test_a_group_is_its_images_by_the_reference(case: Case, tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    maps = case.method.saliency_maps(backbone, *group)
    expected = torch.stack([case.reference(backbone, *pair) for pair in zip(*group, strict=True)])
    assert expected.max() > 1e-4
    torch.testing.assert_close(maps, expected, rtol=case.rtol, atol=case.atol)
    assert not maps.requires_grad


@pytest.mark.slow
def test_a_large_tower_is_the_reference_to_five_digits(case: Case) -> None:
    torch.manual_seed(0)
    backbone = load_backbone("ViT-B-16", random_weights=True)
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    classes = F.normalize(torch.randn(1, 512), dim=1)
    maps = case.method.saliency_maps(backbone, image, classes)
    expected = case.reference(backbone, image[0], classes[0])
    torch.testing.assert_close(maps[0] / expected.max(), expected / expected.max(), rtol=0, atol=1e-5)


def test_inference_mode_changes_nothing(case: Case, tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    expected = case.method.saliency_maps(backbone, *group)
    with torch.inference_mode():
        images, classes = (tensor.clone() for tensor in group)  # as a run makes them: inference tensors
        maps = case.method.saliency_maps(backbone, images, classes)
    torch.testing.assert_close(maps, expected)  # kernels may differ with the mode


def test_models_without_attention_are_refused(case: Case) -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        case.method.saliency_maps(ColourBackbone(), images, torch.ones(1, 8))


def test_half_precision_is_refused(case: Case, tiny_model: Path, group: tuple[Tensor, Tensor]) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}").to(torch.bfloat16)
    with pytest.raises(UsageError, match="found bfloat16"):
        case.method.saliency_maps(backbone, *group)
