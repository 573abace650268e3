from __future__ import annotations

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler, normalize
from toy_features import make_inputs, make_set

from mkbench.baselines import LinearProbe


def test_formula() -> None:
    torch.manual_seed(0)
    features = make_set()
    head = LinearProbe(make_inputs(features))
    embedding = torch.cat([chunk.embedding for chunk in features.chunks])
    scaled = StandardScaler().fit_transform(normalize(embedding.double().numpy()))
    expected = scaled @ head.classifier.weight.detach().numpy().T + head.classifier.bias.detach().numpy()
    found = head(torch.zeros(len(embedding), 12, 5), embedding)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-4)
