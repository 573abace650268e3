"""Feature set of labelled images, as batches to train on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mkbench.concepts.linalg import unit_rows


class FeatureBatch(NamedTuple):
    """Features of B images: (B, N, C) fp32 patch features, (B, d) fp32 embeddings, (B,) int64 classes."""

    features: Tensor
    embedding: Tensor
    target: Tensor


@dataclass(frozen=True)
class FeatureChunk:
    """The features of a class group.

    Attributes:
        class_index: its class.
        sample_ids: n names.
        features: (n, N, C) fp16 patch features.
        embedding: (n, d) fp32 image embeddings, not normalised.
    """

    class_index: int
    sample_ids: tuple[str, ...]
    features: Tensor
    embedding: Tensor

    def __len__(self) -> int:
        return len(self.sample_ids)


class FeatureStatistics(NamedTuple):
    """Means, deviations and covariance of features; see `HeadInputs` for the shapes."""

    feature_mean: Tensor
    feature_std: Tensor
    embedding_mean: Tensor
    embedding_covariance: Tensor


class FeatureSet(Dataset[FeatureBatch]):
    """All chunks as one indexable set; a chunk that lies in a file is read where it is touched.

    Args:
        chunks: class groups, at least one image in all.

    >>> chunk = FeatureChunk(3, ("owl/1.png",), torch.ones(1, 4, 2, dtype=torch.float16), torch.ones(1, 5))
    >>> FeatureSet([chunk])[0].target
    tensor([3])
    """

    def __init__(self, chunks: Sequence[FeatureChunk]) -> None:
        self.chunks = [chunk for chunk in chunks if len(chunk)]
        self._ends = np.cumsum([len(chunk) for chunk in self.chunks])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.chunks else 0

    def __getitem__(self, index: int) -> FeatureBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> FeatureBatch:
        """Return the images of a batch; what a DataLoader asks for all at once."""
        owners = np.searchsorted(self._ends, indices, side="right")
        places = [
            (self.chunks[owner], index - int(self._ends[owner])) for owner, index in zip(owners, indices, strict=True)
        ]
        return FeatureBatch(
            features=torch.stack([chunk.features[place] for chunk, place in places]).float(),
            embedding=torch.stack([chunk.embedding[place] for chunk, place in places]),
            target=torch.tensor([chunk.class_index for chunk, _ in places]),
        )

    def statistics(self) -> FeatureStatistics:
        """Return mean and deviation of the features and mean and covariance of the unit embeddings, in one pass."""
        width, dim = self.chunks[0].features.shape[-1], self.chunks[0].embedding.shape[-1]
        sums, squares = torch.zeros(2, width, dtype=torch.float64)
        total, products = torch.zeros(dim, dtype=torch.float64), torch.zeros(dim, dim, dtype=torch.float64)
        patches = 0
        for chunk in self.chunks:
            for start in range(0, len(chunk), 64):  # a class may have more images than memory holds in float64
                rows = chunk.features[start : start + 64].double().flatten(0, 1)  # (images * patches, width)
                sums += rows.sum(dim=0)
                squares += rows.square().sum(dim=0)
                patches += len(rows)
            unit = unit_rows(chunk.embedding.double())
            total += unit.sum(dim=0)
            products += unit.T @ unit
        mean, centre = sums / patches, total / len(self)
        return FeatureStatistics(
            feature_mean=mean.float(),
            feature_std=(squares / patches - mean.square()).clamp(min=0).sqrt().float(),
            embedding_mean=centre.float(),
            embedding_covariance=(products / len(self) - torch.outer(centre, centre)).float(),
        )


def as_batch(batch: Any) -> Any:
    """Return what `FeatureSet` already put together; what a DataLoader collates with.

    >>> as_batch("the batch")
    'the batch'
    """
    return batch
