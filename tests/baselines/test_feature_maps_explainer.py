from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_features import make_inputs, make_record

from mkbench.baselines import FeatureMaps, FeatureMapsExplainer, save_head


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "feature-maps.safetensors"
    save_head(path, FeatureMaps(make_inputs()), make_record())
    return path


def test_against_one_image_at_a_time(file: Path) -> None:
    explainer = FeatureMapsExplainer(file, num_parts=3, topk=2, threshold=0.6)
    features = torch.randn(5, 12, 5, generator=torch.Generator().manual_seed(0))
    found = explainer.find_parts(features)
    state = {name: value.double().numpy() for name, value in explainer.head.state_dict().items()}
    for image, patches in enumerate(features.double().numpy()):
        maps = []
        for channel in np.argsort(-np.linalg.norm(patches, axis=0), kind="stable")[:3]:
            values = patches[:, channel] - patches[:, channel].min()
            maps.append(values / values.max())
        kept = np.where(np.array(maps) > 0.6, maps, 0)
        labels = np.where(kept.any(0), kept.argmax(0), -1)
        assert found.labels[image].tolist() == labels.tolist()
        best: dict[int, float] = {}
        for part in range(3):
            if not (labels == part).any():
                assert found.descriptor_ids[image, part].tolist() == [-1, -1]
                continue
            mean = (patches[labels == part].mean(0) - state["standardise.mean"]) / state["standardise.std"]
            chance = 1 / (1 + np.exp(-(state["labeller.weight"] @ mean + state["labeller.bias"])))
            top = np.argsort(-chance, kind="stable")[:2]
            assert found.descriptor_ids[image, part].tolist() == top.tolist()
            best |= {int(d): max(chance[d], best.get(int(d), 0)) for d in top}
        ranked = sorted(best, key=lambda descriptor: -best[descriptor])
        count = int(found.vision.counts[image])
        assert found.vision.ids[image, :count].tolist() == ranked
        np.testing.assert_allclose(found.vision.importance[image, :count], [best[d] for d in ranked], rtol=1e-5)


def test_flat_images_have_no_part(file: Path) -> None:
    features = torch.randn(2, 12, 5)
    features[1] = 3.0
    found = FeatureMapsExplainer(file).find_parts(features)
    assert (found.labels[0] >= 0).any()
    assert (found.labels[1] == -1).all()
    assert (found.descriptor_ids[1] == -1).all()
    assert found.vision.counts[1] == 0


def test_more_maps_than_channels_and_more_descriptors_than_there_are(file: Path) -> None:
    explainer = FeatureMapsExplainer(file, num_parts=7, topk=12)
    found = explainer.find_parts(torch.randn(2, 12, 5))
    assert found.descriptor_ids.shape == (2, 7, 12)
    assert (found.descriptor_ids[:, 5:] == -1).all()
    assert found.vision.ids.shape == (2, explainer.max_concepts)


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_threshold_is_checked(file: Path, threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must lie in 0 up to below 1"):
        FeatureMapsExplainer(file, threshold=threshold)
