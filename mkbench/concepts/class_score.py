"""Class score that gradient methods differentiate, and gradients within a run that records none."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.errors import UsageError


@contextmanager
def gradients(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Record gradients while the context is open, even within inference mode.

    Enabling gradients does not undo inference mode, and tensors made in it take no part in gradients; they are copied.
    Parameters stay frozen: what is to be derived by has to ask for its gradient itself.

    Args:
        tensors: what is to be computed with, wherever it was made.

    Yields:
        The same tensors, or copies that gradients can pass.

    >>> with torch.inference_mode():
    ...     given = torch.ones(2)
    ...     with gradients(given) as (values,):
    ...         slope = torch.tensor(3.0, requires_grad=True)
    ...         gradient, = torch.autograd.grad((slope * values).sum(), slope)
    >>> gradient
    tensor(2.)
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield tuple(tensor.clone() if tensor.is_inference() else tensor for tensor in tensors)


def class_scores(embedding: Tensor, class_embedding: Tensor) -> Tensor:
    """Score every image for a class of its own: the cosine of both embeddings.

    Args:
        embedding: (B, d), not normalised.
        class_embedding: (B, d) unit rows.

    Returns:
        (B,) from -1 to 1.

    >>> class_scores(torch.tensor([[0.0, 2.0]]), torch.tensor([[0.6, 0.8]]))
    tensor([0.8000])
    """
    return (F.normalize(embedding, dim=-1) * class_embedding).sum(dim=-1)


def require_full_precision(backbone: Backbone) -> None:
    """Refuse weights of half precision, in which small gradients vanish.

    Raises:
        UsageError: if the weights are not in fp32.
    """
    if backbone.dtype != torch.float32:
        precision = str(backbone.dtype).removeprefix("torch.")
        raise UsageError(
            f"Expected weights in fp32 for maps made of gradients, found {precision}; set --model.precision 32."
        )
