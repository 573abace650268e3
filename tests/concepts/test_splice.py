from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.linear_model import Lasso

from mkbench.concepts import SpLiCE
from mkbench.datamodules import Critters
from mkbench.errors import DataError, UsageError
from mkbench.systems import MutualKnowledge


def make_system(tiny_model: Path, *explainers: SpLiCE) -> MutualKnowledge:
    return MutualKnowledge(
        f"local-dir:{tiny_model}", num_language_concepts=12, refine="none", explainers=list(explainers)
    )


@pytest.fixture(scope="module")
def data() -> Critters:
    return Critters(images_per_class=3, limit_classes=2, num_workers=0)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def published(images: np.ndarray, bank: np.ndarray, mean: np.ndarray, penalty: float) -> np.ndarray:
    """Weights of every image in turn, by scikit-learn, in the scale of the published code."""
    dictionary = unit(bank - bank.mean(axis=0))
    width = bank.shape[1]
    model = Lasso(alpha=penalty / (2 * width), positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    return np.stack([model.fit(dictionary.T, unit(image - mean)).coef_ for image in images])


def test_a_run_is_scikit_learn_on_its_own_mean(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, SpLiCE(num_concepts=40, tolerance=1e-13))
    system.prepare(data)
    groups = [data.dataset(system.geometry, data.specs)[place] for place in range(2)]
    images = [unit(system.backbone.encode_image(group.images).double().numpy()) for group in groups]
    mean = np.concatenate(images).mean(axis=0)
    expected = published(images[1], system.knowledge.bare.double().numpy(), mean, 0.25)
    assert expected.any(axis=1).all()
    found = system.explain_group(groups[1]).explained["splice"].explanation
    for row, weights in enumerate(expected):
        assert found.vision.counts[row] == (found.vision.importance[row] > 0).sum()
        spread = np.zeros(len(weights))
        listed = found.vision.ids[row] >= 0
        spread[found.vision.ids[row][listed]] = found.vision.importance[row][listed]
        np.testing.assert_allclose(spread, weights, rtol=0, atol=1e-5)
        assert (np.diff(found.vision.importance[row]) <= 0).all()
    assert found.present.shape == (3, 0)
    assert found.fallbacks == {"no_concepts": 0, "cut_concepts": 0, "not_converged": 0}


def test_a_file_is_used_and_recorded(tiny_model: Path, data: Critters, tmp_path: Path) -> None:
    file = tmp_path / "mean.safetensors"
    save_file({"mean": torch.linspace(-0.1, 0.1, 32)}, file)
    system = make_system(tiny_model, SpLiCE(file, num_concepts=2))
    system.prepare(data)
    assert system.mean_embedding is None  # no second pass over the images
    assert system.explainers[0].settings()["mean"] == hashlib.sha256(file.read_bytes()).hexdigest()
    group = data.dataset(system.geometry, data.specs)[0]
    found = system.explain_group(group).explained["splice"].explanation
    images = unit(system.backbone.encode_image(group.images).double().numpy())
    bank = system.knowledge.bare.double().numpy()
    expected = published(images, bank, np.linspace(-0.1, 0.1, 32), 0.25)
    cut = np.minimum((expected > 1e-5).sum(axis=1), 2)
    assert found.vision.counts.tolist() == cut.tolist()
    assert found.fallbacks["cut_concepts"] == ((expected > 1e-5).sum(axis=1) > 2).sum()


def test_a_penalty_that_no_descriptor_is_worth_names_none(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, SpLiCE(penalty=1.5))
    system.prepare(data)
    found = system.explain_group(data.dataset(system.geometry, data.specs)[0]).explained["splice"].explanation
    assert found.vision.counts.tolist() == [0, 0, 0]
    assert found.fallbacks["no_concepts"] == 3


def test_a_single_image_has_no_mean(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, SpLiCE())
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    with pytest.raises(UsageError, match="mean image embedding of a run for SpLiCE, found none, as for a single image"):
        system.explain_group(data.dataset(system.geometry, data.specs)[0])


def test_a_mean_of_another_width_is_refused(tiny_model: Path, data: Critters, tmp_path: Path) -> None:
    save_file({"mean": torch.zeros(5)}, tmp_path / "mean.safetensors")
    system = make_system(tiny_model, SpLiCE(tmp_path / "mean.safetensors"))
    system.prepare(data)
    with pytest.raises(UsageError, match="of width 32 for SpLiCE, found 5"):
        system.explain_group(data.dataset(system.geometry, data.specs)[0])


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "cannot be read"), (b"text", "cannot be read"), ({"other": torch.zeros(2)}, "found other")],
)
def test_files_without_a_mean_are_refused(tmp_path: Path, content: Any, found: str) -> None:
    file = tmp_path / "mean.safetensors"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        save_file(content, file)
    with pytest.raises(DataError, match=found):
        SpLiCE(file)


@pytest.mark.parametrize("wrong", [{"penalty": 0}, {"tolerance": 0}, {"num_concepts": 0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    make: Callable[..., SpLiCE] = SpLiCE
    with pytest.raises(ValueError, match="must be"):
        make(**wrong)
