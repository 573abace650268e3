"""Linear probe: linear classifier on the image embedding."""

import torch
from torch import Tensor

from mkbench.baselines.base import Head, HeadInputs, Standardise
from mkbench.concepts.linalg import unit_rows


class LinearProbe(Head):
    """A linear classifier on the image embedding; an accuracy to compare with, without an explanation.

    The embedding is normalised, as everywhere in CLIP, and each of its entries standardised over the training images.

    Args:
        inputs: what the head is built from.

    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> LinearProbe(inputs)(torch.rand(5, 4, 6), torch.rand(5, 4)).shape
    torch.Size([5, 3])
    """

    name = "linear-probe"

    def __init__(self, inputs: HeadInputs) -> None:
        super().__init__(inputs)
        self.standardise = Standardise(
            inputs.embedding_mean, inputs.embedding_covariance.diagonal().clamp(min=0).sqrt()
        )
        self.classifier = torch.nn.Linear(len(inputs.embedding_mean), len(inputs.class_concepts))

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the logits (B, Y); the patch features are not looked at."""
        logits: Tensor = self.classifier(self.standardise(unit_rows(embedding)))
        return logits
