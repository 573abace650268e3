"""SpLiCE: sparse decomposition of the whole image into descriptors, without parts."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import unit_rows
from mkbench.concepts.nonnegative_lasso import nonnegative_lasso
from mkbench.concepts.whole_image import heaviest_descriptors, without_parts
from mkbench.errors import DataError, UsageError


class Decomposition(NamedTuple):
    """Images as sparse sums of descriptors.

    Attributes:
        weights: (B, D) float64, from 0 on.
        cosine: (B,) float64 of the centred image embedding and its sum; 0 where there are no weights.
        nonzeros: (B,) int64, descriptors with a weight.
        converged: (B,) bool, whether the solver met its tolerance.
    """

    weights: Tensor
    cosine: Tensor
    nonzeros: Tensor
    converged: Tensor


def decompose_images(
    image_embedding: Tensor, bank: Tensor, mean_embedding: Tensor, penalty: float, *, tolerance: float = 1e-10
) -> Decomposition:
    """Decompose images into few descriptors.

    With z' = unit(z - mean of image embeddings) and the rows unit(c - mean of the bank) of C, the weights w >= 0
    minimise 1/2 |w C - z'|^2 + penalty sum(w).

    Source: Bhalla et al., "Interpreting CLIP with Sparse Linear Concept Embeddings (SpLiCE)", NeurIPS 2024,
    arXiv 2402.10376.

    Args:
        image_embedding: (B, d) unit rows.
        bank: (D, d) unit rows of the descriptors.
        mean_embedding: (d,) mean of unit image embeddings.
        penalty: above 0; the published 0.25 is 0.125 here, as they halve it.
        tolerance: duality gap of the solver.

    >>> import torch
    >>> bank = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> decompose_images(torch.tensor([[1.0, 0.0]]), bank, torch.zeros(2), 0.25).weights.round(decimals=4)
    tensor([[0.7500, 0.0000]], dtype=torch.float64)
    """
    targets = unit_rows(image_embedding.double() - mean_embedding.double())
    dictionary = unit_rows(bank.double() - bank.double().mean(dim=0))
    solved = nonnegative_lasso(targets, dictionary, penalty, tolerance=tolerance)
    cosine = F.cosine_similarity(targets, solved.weights @ dictionary, dim=1)
    return Decomposition(solved.weights, cosine, (solved.weights > 0).sum(dim=1), solved.gap <= tolerance)


class SpLiCE:
    """SpLiCE as an explainer: the descriptors that an image embedding is a sparse non-negative sum of; no parts.

    The importance of a descriptor is its weight. Unlike in the paper, whose vocabulary has 10,000 words of captions,
    the dictionary is the concept bank, and no more than ``num_concepts`` descriptors of an image are named.

    Source: Bhalla et al., NeurIPS 2024, arXiv 2402.10376; see :func:`decompose_images`.

    Args:
        mean_file: safetensors file whose tensor ``mean`` (d,) is the mean of unit image embeddings of this model; None:
            that of the run's own images, for which they are encoded once more.
        penalty: weight of the sum of weights, above 0; the default is the published 0.25, which they halve.
        num_concepts: most descriptors of an image.
        tolerance: duality gap of the solver, above 0.

    Raises:
        ValueError: if a number is out of range.
        DataError: if the file cannot be read or holds no such tensor.

    >>> SpLiCE().name
    'splice'
    """

    name = "splice"

    def __init__(
        self,
        mean_file: Path | None = None,
        *,
        penalty: float = 0.125,
        num_concepts: int = 15,
        tolerance: float = 1e-10,
    ) -> None:
        if penalty <= 0 or tolerance <= 0:
            raise ValueError(f"penalty and tolerance must be above 0, found {penalty} and {tolerance}")
        if num_concepts < 1:
            raise ValueError(f"num_concepts must be at least 1, found {num_concepts}")
        self.penalty, self.max_concepts, self.tolerance = penalty, num_concepts, tolerance
        self.mean_embedding: Tensor | None = None
        self.mean_sha256: str | None = None
        if mean_file is not None:
            self.mean_embedding, self.mean_sha256 = _read_mean(mean_file)
        self.needs_mean_embedding = mean_file is None

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers."""
        return {
            "mean": "images of the run" if self.mean_sha256 is None else self.mean_sha256,
            "penalty": self.penalty,
            "num_concepts": self.max_concepts,
            "tolerance": self.tolerance,
        }

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group, with the mean embedding of the run where the explainer has none of its own.

        Returns:
            `GroupExplanation` without parts; its ``fallbacks`` count images: ``no_concepts`` without any descriptor,
            ``cut_concepts`` with more than are named, ``not_converged`` that did not meet the tolerance.

        Raises:
            UsageError: there is no mean embedding, or one of another width.
        """
        with context.stage("assign"):
            found = decompose_images(
                context.image_embedding,
                context.bare_embeddings,
                self._mean(context),
                self.penalty,
                tolerance=self.tolerance,
            )
            vision = heaviest_descriptors(found.weights, self.max_concepts)
        fallbacks = {
            "no_concepts": int((found.nonzeros == 0).sum()),
            "cut_concepts": int((found.nonzeros > self.max_concepts).sum()),
            "not_converged": int((~found.converged).sum()),
        }
        return without_parts(self.name, context, vision, fallbacks)

    def _mean(self, context: GroupContext) -> Tensor:
        mean = context.mean_embedding if self.mean_embedding is None else self.mean_embedding
        if mean is None:
            raise UsageError(
                "Expected the mean image embedding of a run for SpLiCE, found none, as for a single image; give a file "
                "with mean_file, or choose another explainer."
            )
        width = context.image_embedding.shape[1]
        if len(mean) != width:
            raise UsageError(
                f"Expected a mean image embedding of width {width} for SpLiCE, found {len(mean)}; give the file of "
                "this model."
            )
        return mean.to(context.image_embedding.device)


def _read_mean(file: Path) -> tuple[Tensor, str]:
    """Return the tensor, and the SHA-256 of the file."""
    try:
        content = file.read_bytes()
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise DataError(f"Expected a safetensors file at {file}, but it cannot be read: {error}.") from error
    if "mean" not in tensors or tensors["mean"].ndim != 1 or not bool(tensors["mean"].isfinite().all()):
        raise DataError(f"Expected a finite vector `mean` in {file}, found {', '.join(tensors) or 'nothing'}.")
    return tensors["mean"], hashlib.sha256(content).hexdigest()
