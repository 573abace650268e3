from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_features import make_inputs, make_record

from mkbench.baselines import MMCBM, MMCBMExplainer, MMProtoSim, MMProtoSimExplainer, save_head
from mkbench.baselines.attention_explainer import attach_concepts, share_patches


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Heads with weights for and against every class, whose concepts see different patches."""
    torch.manual_seed(0)
    written = {}
    for kind in (MMCBM, MMProtoSim):
        head = kind(make_inputs(), width=8)
        with torch.no_grad():
            head.query.weight *= 6
        written[kind.name] = tmp_path / f"{kind.name}.safetensors"
        save_head(written[kind.name], head, make_record())
    return written


def test_patches_go_to_the_largest_attention_above_the_least() -> None:
    attention = torch.tensor([[[0.50, 0.30, 0.10, 0.10], [0.30, 0.30, 0.35, 0.05]]])
    # Patch 0: 0.50 against 0.30. Patch 1: a tie, to the lower. Patch 2: only the second exceeds 0.25. Patch 3: nobody.
    assert share_patches(attention, 0.25).tolist() == [[0, 0, 1, -1]]
    assert share_patches(attention, 0.50).tolist() == [[-1, -1, -1, -1]]


def test_concepts_without_a_part_go_where_they_look() -> None:
    labels = torch.tensor([[0, 0, 2, -1]])
    looks = torch.tensor(
        [
            [
                [0.4, 0.4, 0.1, 0.1],  # owns part 0
                [0.1, 0.2, 0.6, 0.1],  # owns none, looks at part 2
                [0.0, 0.1, 0.9, 0.0],  # owns part 2
                [0.2, 0.1, 0.6, 0.1],  # looks at part 2, which by then has two
                [0.0, 0.0, 0.0, 1.0],  # looks where no part is
                [0.5, 0.1, 0.1, 0.3],  # looks at part 0
            ]
        ]
    )
    ids = torch.tensor([[10, 11, 12, 13, 14, 15]])
    named = attach_concepts(ids, looks, labels, num_parts=3, topk=2)
    assert named.tolist() == [[[10, 15], [-1, -1], [12, 11]]]


def reference_cbm(head: MMCBM, features: torch.Tensor, parts: int, threshold: float) -> tuple[Any, Any, Any]:
    """One image at a time: patches, the concept that each part is, and the importance of all concepts."""
    seen = head.attend(features)
    classes = head.classify(seen.activations).argmax(dim=1)
    labels, owners, importance = [], [], []
    for u, weights, label in zip(seen.activations, seen.weights, classes, strict=True):
        value = (u * head.class_weights[label]).detach().double().numpy()
        top = [d for d in np.argsort(-value, kind="stable")[:parts] if value[d] > 0]
        looks = weights[top].detach().numpy()  # (concepts, patches)
        best = np.array(looks).argmax(0)
        enough = looks.max(0) > threshold / looks.shape[1]
        labels.append(np.where(enough, best, -1))
        owners.append([top[part] if (labels[-1] == part).any() else -1 for part in range(len(top))])
        importance.append(value)
    return labels, owners, importance


@pytest.mark.parametrize("threshold", [0.0, 1.0, 1.5])
def test_mm_cbm_against_one_image_at_a_time(files: dict[str, Path], threshold: float) -> None:
    explainer = MMCBMExplainer(files["mm-cbm"], num_parts=3, topk=2, threshold=threshold)
    features = torch.randn(6, 12, 5, generator=torch.Generator().manual_seed(3)) * 3
    with torch.no_grad():
        found = explainer.find_parts(features)
    labels, owners, importance = reference_cbm(explainer.head, features, 3, threshold)
    for image in range(6):
        assert found.labels[image].tolist() == labels[image].tolist()
        own = [*owners[image], -1, -1, -1][:3]
        assert found.descriptor_ids[image, :, 0].tolist() == own
        count = int(found.vision.counts[image])
        shown = found.vision.ids[image, :count].tolist()
        assert sorted(shown) == sorted(found.descriptor_ids[image][found.descriptor_ids[image] >= 0].tolist())
        np.testing.assert_allclose(found.vision.importance[image, :count], importance[image][shown])
        assert shown == sorted(shown, key=lambda concept: -importance[image][concept])
        assert all(importance[image][concept] > 0 for concept in shown)


def test_no_attention_is_enough(files: dict[str, Path]) -> None:
    found = MMCBMExplainer(files["mm-cbm"], threshold=1e6).find_parts(torch.randn(2, 12, 5))
    assert (found.labels == -1).all()
    assert (found.descriptor_ids == -1).all()
    assert found.vision.counts.tolist() == [0, 0]


def test_no_concept_speaks_for_the_class(tmp_path: Path) -> None:
    head = MMCBM(make_inputs(), width=8)
    torch.nn.init.constant_(head.classifier.weight, -1.0)
    save_head(tmp_path / "head.safetensors", head, make_record())
    found = MMCBMExplainer(tmp_path / "head.safetensors").find_parts(torch.randn(2, 12, 5))
    assert (found.labels == -1).all()
    assert found.vision.counts.tolist() == [0, 0]


def test_parts_of_mm_protosim_are_all_patches_of_their_concept(files: dict[str, Path]) -> None:
    explainer = MMProtoSimExplainer(files["mm-protosim"], num_parts=4)
    features = torch.randn(6, 12, 5, generator=torch.Generator().manual_seed(3)) * 3
    with torch.no_grad():
        found = explainer.find_parts(features)
        given = explainer.head.attend(features).weights.argmax(dim=1)  # (images, patches)
    assert found.descriptor_ids.shape == (6, 4, 1)
    seen = 0
    for image in range(6):
        for part, concept in enumerate(found.descriptor_ids[image, :, 0].tolist()):
            members = found.labels[image] == part
            if concept >= 0:
                assert torch.equal(members, given[image] == concept)
                seen += 1
            else:
                assert not members.any()
    assert seen > 6


def test_a_bank_smaller_than_what_is_asked_for(files: dict[str, Path]) -> None:
    explainer = MMCBMExplainer(files["mm-cbm"], num_parts=12, topk=3)
    found = explainer.find_parts(torch.randn(2, 12, 5))
    assert found.descriptor_ids.shape == (2, 12, 3)
    assert found.vision.ids.shape == (2, explainer.max_concepts)


def test_threshold_is_checked_and_told(files: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="threshold must be 0 or more, found -1"):
        MMCBMExplainer(files["mm-cbm"], threshold=-1)
    assert MMCBMExplainer(files["mm-cbm"], threshold=2.0).settings()["threshold"] == 2.0
