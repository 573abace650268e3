"""MM-CBM: a concept bottleneck whose concepts attend to the patches of an image."""

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from mkbench.baselines.base import Head, HeadInputs, Standardise, require_positive


class ConceptAttention(NamedTuple):
    """Attention of concepts over the patches of images.

    Attributes:
        activations: (B, D) U in 0..1.
        weights: (B, D, N) attention of every concept to the patches.
    """

    activations: Tensor
    weights: Tensor


class MMCBM(Head):
    """Multimodal concept bottleneck: each concept attends to the patches, and classes are read from the concepts.

    Q = Linear(E_T) (D, q); K = V = Linear(f) (N, q); U = sigmoid(w . (softmax_N(Q K^T) V)) in R^D; logits =
    Linear(U). The products are not divided by sqrt(q): the paper has no such factor.

    Two normalisations that the linear layers could express themselves make it trainable in minutes: f is standardised
    per channel, and U per concept before the classifier (the running statistics of training). ``class_weights`` are
    those on U itself.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D.

    Args:
        inputs: what the head is built from.
        width: q.

    Raises:
        UsageError: a width that is not positive.

    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> MMCBM(inputs, width=8)(torch.rand(5, 4, 6), torch.rand(5, 4)).shape
    torch.Size([5, 3])
    """

    name = "mm-cbm"
    concepts: Tensor

    def __init__(self, inputs: HeadInputs, *, width: int = 512) -> None:
        super().__init__(inputs)
        require_positive(self.name, "width", width)
        bank, dim = inputs.concepts.shape
        self.width = width
        self.register_buffer("concepts", inputs.concepts.float().clone())
        self.standardise = Standardise(inputs.feature_mean, inputs.feature_std)
        self.query = torch.nn.Linear(dim, width)
        self.key = torch.nn.Linear(len(inputs.feature_mean), width)
        bound = 1 / math.sqrt(width)  # as the layers around it
        self.direction = torch.nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.spread = torch.nn.BatchNorm1d(bank, affine=False)
        self.classifier = torch.nn.Linear(bank, len(inputs.class_concepts))

    def options(self) -> dict[str, Any]:
        """The keyword arguments that it was built with."""
        return {"width": self.width}

    def scores(self, features: Tensor) -> Tensor:
        """Return Q K^T, (B, D, N), of standardised features (B, N, C)."""
        query: Tensor = self.query(self.concepts)  # (bank, q)
        if features.shape[-1] >= self.width:
            key: Tensor = self.key(features)  # (images, patches, q)
            return query @ key.mT
        # The same product in the cheaper order: Q (W_K f + b_K) = (Q W_K) f + Q b_K.
        return (query @ self.key.weight) @ features.mT + (query @ self.key.bias)[:, None]

    def weights(self, scores: Tensor) -> Tensor:
        """Return the attention (B, D, N) of scores; the weights of a concept sum to 1 over the patches."""
        return scores.softmax(dim=2)

    def attend(self, features: Tensor) -> ConceptAttention:
        """Return activations and attention of all concepts.

        Args:
            features: (B, N, C) patch features, as the backbone gives them.
        """
        features = self.standardise(features)
        weights = self.weights(self.scores(features).float())  # (images, bank, patches)
        # w . (A V) = A (V w): one number for each patch instead of q for each concept.
        values = features @ (self.key.weight.T @ self.direction) + self.key.bias @ self.direction  # (images, patches)
        return ConceptAttention(torch.einsum("bdn,bn->bd", weights, values.float()).sigmoid(), weights)

    def classify(self, activations: Tensor) -> Tensor:
        """Return the logits (B, Y) of activations U (B, D)."""
        logits: Tensor = self.classifier(self.spread(activations))
        return logits

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the logits (B, Y); the embedding is not looked at."""
        return self.classify(self.attend(features).activations)

    @property
    def class_weights(self) -> Tensor:
        """(Y, D) weights W of the classes on U: logits = W U + constant."""
        variance = cast(Tensor, self.spread.running_var)
        return self.classifier.weight * (variance + self.spread.eps).rsqrt()
