from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from toy_features import make_inputs, make_record

from mkbench.baselines import LFCBM, LFCBMExplainer, LinearProbe, save_head
from mkbench.concepts import GroupContext
from mkbench.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "lf-cbm.safetensors"
    save_head(path, LFCBM(make_inputs(), kept=3), make_record())
    return path


def group(explainer: LFCBMExplainer, images: int = 6) -> GroupContext:
    """Images of random embeddings; the bank is that of the head."""
    generator = torch.Generator().manual_seed(1)
    concepts = explainer.head.concepts
    embedding = F.normalize(torch.randn(images, concepts.shape[1], generator=generator), dim=1)
    return GroupContext(
        images=torch.zeros(images, 3, 8, 8, dtype=torch.uint8),
        features=torch.randn(images, 4, 5, generator=generator),
        image_embedding=embedding,
        bare_embeddings=concepts,
        prompted_embeddings=concepts,
        foreground_patches=torch.ones(images, 2, 2, dtype=torch.bool),
        foreground_pixels=torch.ones(images, 8, 8, dtype=torch.bool),
        seed=0,
        encode=lambda pixels: pixels.float(),
    )


def test_against_one_image_at_a_time(file: Path) -> None:
    explainer = LFCBMExplainer(file, num_concepts=2)
    context = group(explainer)
    found = explainer.explain(context)
    state = {name: value.double().numpy() for name, value in explainer.head.state_dict().items()}
    named = 0
    for row, embedding in enumerate(context.image_embedding.double().numpy()):
        scores = (state["concepts"] @ embedding - state["standardise.mean"]) / state["standardise.std"]
        weights = np.zeros_like(state["classifier.weight"])
        for label, own in enumerate(state["classifier.weight"]):
            kept = np.argsort(-abs(own), kind="stable")[:3]
            weights[label, kept] = own[kept]
        predicted = np.argmax(weights @ scores + state["classifier.bias"])
        contributions = weights[predicted] * scores
        expected = [place for place in np.argsort(-contributions, kind="stable") if contributions[place] > 0][:2]
        count = int(found.vision.counts[row])
        assert found.vision.ids[row, :count].tolist() == expected
        np.testing.assert_allclose(found.vision.importance[row, :count], contributions[expected], rtol=1e-5)
        named += count
    assert named > 0
    assert found.present.shape == (6, 0)
    assert found.fallbacks == {"no_concepts": int((found.vision.counts == 0).sum())}


def test_settings_name_the_file_by_its_content(file: Path) -> None:
    explainer = LFCBMExplainer(file)
    assert explainer.settings() == {
        "file_sha256": explainer.trained.sha256,
        "top1": explainer.trained.top1,
        "num_concepts": 15,
    }


def test_another_bank_or_head_is_refused(file: Path, tmp_path: Path) -> None:
    explainer = LFCBMExplainer(file)
    other = group(explainer)
    object.__setattr__(other, "prompted_embeddings", -other.prompted_embeddings)
    with pytest.raises(UsageError, match="descriptors"):
        explainer.explain(other)
    save_head(tmp_path / "probe.safetensors", LinearProbe(make_inputs()), make_record())
    with pytest.raises(UsageError, match=r"Expected a head lf-cbm in .*, found linear-probe; choose a file of lf-cbm"):
        LFCBMExplainer(tmp_path / "probe.safetensors")


def test_a_number_of_concepts_below_one_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="num_concepts must be at least 1, found 0"):
        LFCBMExplainer(file, num_concepts=0)
