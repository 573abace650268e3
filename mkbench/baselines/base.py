"""Base class of trained baselines: a small head on the frozen features of a CLIP model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.errors import UsageError


@dataclass(frozen=True)
class HeadInputs:
    """Inputs of a new head: the concepts, the classes, and the distribution of the training features.

    Attributes:
        concepts: (D, d) unit rows E_T, the descriptors of the bank in their prompt.
        class_concepts: (Y, D) bool, the descriptors of every class.
        grid: rows and columns of the patch grid, N = h * w.
        feature_mean: (C,) mean of the patch features over the training images.
        feature_std: (C,) their standard deviation.
        embedding_mean: (d,) mean of the unit image embeddings over the training images.
        embedding_covariance: (d, d) their covariance.

    Raises:
        ValueError: shapes that do not fit each other.

    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> inputs.concepts.shape, inputs.feature_mean.shape
    (torch.Size([7, 4]), torch.Size([6]))
    """

    concepts: Tensor
    class_concepts: Tensor
    grid: tuple[int, int]
    feature_mean: Tensor
    feature_std: Tensor
    embedding_mean: Tensor
    embedding_covariance: Tensor

    def __post_init__(self) -> None:
        (bank, dim), width = self.concepts.shape, self.feature_mean.shape[0]
        wanted = {
            "class_concepts": (len(self.class_concepts), bank),
            "feature_std": (width,),
            "embedding_mean": (dim,),
            "embedding_covariance": (dim, dim),
        }
        for name, shape in wanted.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} must have shape {shape} to fit the other inputs, found {found}")

    @property
    def shape(self) -> dict[str, Any]:
        """The sizes, as JSON; what ``blank`` takes."""
        return {
            "concepts": self.concepts.shape[0],
            "embed_dim": self.concepts.shape[1],
            "classes": self.class_concepts.shape[0],
            "feature_dim": self.feature_mean.shape[0],
            "grid": list(self.grid),
        }

    @classmethod
    def blank(cls, shape: Mapping[str, Any]) -> "HeadInputs":
        """Return inputs of the given sizes without content, for a head whose tensors are read from a file."""
        bank, dim, width = shape["concepts"], shape["embed_dim"], shape["feature_dim"]
        return cls(
            concepts=torch.zeros(bank, dim),
            class_concepts=torch.zeros(shape["classes"], bank, dtype=torch.bool),
            grid=(shape["grid"][0], shape["grid"][1]),
            feature_mean=torch.zeros(width),
            feature_std=torch.ones(width),
            embedding_mean=torch.zeros(dim),
            embedding_covariance=torch.eye(dim),
        )


class Standardise(torch.nn.Module):
    """Subtracts the mean and divides by the standard deviation of the training images.

    A linear layer could learn the same; with it, one learning rate suits features of every scale. What does not vary is
    centred only.

    Args:
        mean: (..., C) mean.
        std: (..., C) standard deviation.

    >>> Standardise(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 0.0]))(torch.tensor([5.0, 5.0]))
    tensor([2., 4.])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.float().clone())
        self.register_buffer("std", torch.where(std > 0, std, 1).float())

    def forward(self, values: Tensor) -> Tensor:
        """Standardise the last dimension."""
        return (values - self.mean) / self.std


class Head(torch.nn.Module, ABC):
    """A classifier on frozen features: (B, N, C) patch features and (B, d) image embeddings -> (B, Y) logits.

    A subclass takes `HeadInputs` first and its options by keyword; everything it needs to work again after training is
    a parameter or a buffer.

    Attributes:
        name: how results and files call the head.
        inputs_shape: the sizes it was built for, as JSON.
    """

    name: ClassVar[str]

    def __init__(self, inputs: HeadInputs) -> None:
        super().__init__()
        self.inputs_shape = inputs.shape

    def options(self) -> dict[str, Any]:
        """The keyword arguments that it was built with, as JSON."""
        return {}

    @abstractmethod
    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the logits of the classes.

        Args:
            features: (B, N, C) patch features.
            embedding: (B, d) image embeddings, normalised inside.

        Returns:
            (B, Y) logits.
        """

    def loss(self, features: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """Return what training lowers, a scalar; cross-entropy where a head does not say otherwise.

        Args:
            features: (B, N, C).
            embedding: (B, d).
            target: (B,) int64 classes.
        """
        return F.cross_entropy(self(features, embedding).float(), target)


def require_positive(head: str, option: str, value: float) -> None:
    """Check an option of a head.

    Raises:
        UsageError: it is not positive.

    >>> require_positive("mm-cbm", "width", 512)
    """
    if not value > 0:
        raise UsageError(f"Expected the option {option} of the head {head} to be positive, found {value}; correct it.")
