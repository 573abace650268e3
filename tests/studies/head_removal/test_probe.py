from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from mkbench.studies.head_removal.probe import INVERSE_PENALTY, fit_probe


def test_probe_is_logistic_regression_of_unit_embeddings() -> None:
    generator = torch.Generator().manual_seed(0)
    classes = torch.tensor([2, 5, 9]).repeat_interleave(30)
    embeddings = torch.randn(90, 6, generator=generator) + classes[:, None] * torch.eye(6)[0] / 4
    others = torch.randn(40, 6, generator=generator)
    probe = fit_probe(embeddings * torch.rand(90, 1, generator=generator), classes, data="d")
    unit = embeddings.double().numpy() / np.linalg.norm(embeddings.double().numpy(), axis=1, keepdims=True)
    unit_others = others.double().numpy() / np.linalg.norm(others.double().numpy(), axis=1, keepdims=True)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=10_000).fit(unit, classes.numpy())
    # Lengths, scaled in float32, may move an image that lies on a border.
    assert (probe.classify(others).numpy() == model.predict(unit_others)).mean() > 0.97
    assert torch.equal(probe.classify(others), probe.classify(others * 7.0))
    assert (probe.data, probe.images) == ("d", 90)


def test_probe_learns_the_shortcut_of_tied_embeddings() -> None:
    """The first entry is the class, weak and noisy; the second the background, strong, and tied to the class."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(2).repeat(100)

    def embed(backgrounds: torch.Tensor) -> torch.Tensor:
        signal = torch.stack([0.3 * (2 * classes - 1.0), 2 * backgrounds - 1.0, torch.ones(200)], dim=1)
        return signal + 0.2 * torch.randn(200, 3, generator=generator)

    probe = fit_probe(embed(classes), classes)
    assert (probe.classify(embed(classes)) == classes).double().mean() > 0.97
    assert (probe.classify(embed(1 - classes)) == classes).double().mean() < 0.3
    without = embed(1 - classes)
    without[:, 1] = 0
    assert (probe.classify(without) == classes).double().mean() > 0.7
