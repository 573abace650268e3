"""Checks of weights and embeddings for NaN, infinity, and embeddings that are all the same."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import Module

from mkbench.errors import BackboneError, name_some

#: Parts and samples that an error names.
NUM_NAMED = 3


def require_finite_weights(model: Module, name: str) -> None:
    """Refuse a model whose weights hold NaN or infinity: all that is computed of it would be worth nothing.

    Args:
        model: any; buffers may hold infinities, as attention masks do.
        name: how the error calls it.

    Raises:
        BackboneError: naming the model and the first such weight.

    >>> import torch
    >>> require_finite_weights(torch.nn.Linear(2, 1), "toy")
    """
    parameters = [key for key, tensor in model.named_parameters() if not bool(tensor.isfinite().all())]
    broken = parameters + [key for key, tensor in model.named_buffers() if bool(tensor.isnan().any())]
    if broken:
        named = name_some(broken, shown=NUM_NAMED)
        raise BackboneError(
            f"Expected finite weights of {name}, found NaN or infinity in {named}; the weights are damaged "
            "or their training diverged: fetch them again or choose another checkpoint."
        )


def require_finite_embeddings(embeddings: Tensor, sources: Sequence[str], *, model: str) -> None:
    """Refuse embeddings that hold NaN or infinity, and name what they were computed from.

    Args:
        embeddings: (B, d).
        sources: B sample ids, or texts.
        model: how the error calls the model.

    Raises:
        BackboneError: naming the model and the first such source.

    >>> import torch
    >>> require_finite_embeddings(torch.ones(1, 2), ["a.jpg"], model="toy")
    """
    broken = [source for source, row in zip(sources, embeddings.isfinite().all(dim=1).tolist(), strict=True) if not row]
    if broken:
        named = name_some(broken, shown=NUM_NAMED)
        raise BackboneError(
            f"Expected finite embeddings of {model}, found NaN or infinity for {named}; with "
            "--model.precision 16 or bf16 try 32, otherwise the weights do not fit the architecture."
        )


def require_varied_embeddings(embeddings: Tensor, images: Tensor, *, model: str) -> None:
    """Refuse embeddings that are the same for different images: nothing that follows from them says anything.

    Args:
        embeddings: (B, d), not normalised.
        images: (B, 3, S, S), what they were computed from.
        model: how the error calls the model.

    Raises:
        BackboneError: all rows agree to a millionth of the largest value, and not all images are the same.

    >>> import torch
    >>> require_varied_embeddings(torch.eye(2), torch.arange(2).reshape(2, 1, 1, 1), model="toy")
    """
    spread = (embeddings - embeddings[:1]).abs().max(), embeddings.abs().max()
    if len(images) > 1 and bool(spread[0] <= 1e-6 * spread[1]) and bool((images != images[:1]).any()):
        raise BackboneError(
            f"Expected embeddings of {model} that differ between images, found the same for all of {len(images)} "
            "different ones; the weights are damaged or their training collapsed: choose another checkpoint."
        )
