from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from toy_features import make_set

from mkbench.systems.features.feature_set import FeatureChunk, FeatureSet, as_batch


def test_images_are_numbered_over_all_chunks() -> None:
    features = make_set(5)
    assert len(features) == 15
    batch = features.__getitems__([14, 0, 5, 4])
    assert batch.target.tolist() == [2, 0, 1, 0]
    chunks = features.chunks
    expected = torch.stack([chunks[2].features[4], chunks[0].features[0], chunks[1].features[0], chunks[0].features[4]])
    assert torch.equal(batch.features, expected.float())
    assert torch.equal(batch.embedding[2], chunks[1].embedding[0])
    assert torch.equal(features[14].features, batch.features[:1])


def test_empty_chunks_are_left_out() -> None:
    empty = FeatureChunk(9, (), torch.zeros(0, 12, 5).half(), torch.zeros(0, 6))
    features = FeatureSet([empty, *make_set(2).chunks, empty])
    assert [int(target) for batch in map(features.__getitem__, range(6)) for target in batch.target] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert len(FeatureSet([empty])) == 0


def test_loader_takes_whole_batches() -> None:
    loader = DataLoader(make_set(5), batch_size=4, collate_fn=as_batch)
    assert [tuple(batch.features.shape) for batch in loader] == [(4, 12, 5)] * 3 + [(3, 12, 5)]


@pytest.mark.parametrize("images", [3, 70])
def test_statistics(images: int) -> None:
    features = make_set(images)
    found = features.statistics()
    rows = torch.cat([chunk.features for chunk in features.chunks]).double().flatten(0, 1).numpy()
    np.testing.assert_allclose(found.feature_mean, rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.feature_std, rows.std(0), rtol=1e-5)
    unit = torch.cat([chunk.embedding for chunk in features.chunks]).double().numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    np.testing.assert_allclose(found.embedding_mean, unit.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.embedding_covariance, np.cov(unit.T, bias=True), atol=1e-6)
