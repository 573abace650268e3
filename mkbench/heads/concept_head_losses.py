"""Losses of classes without their concept heads, beside other classes and other heads, with intervals over classes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mkbench.heads.head_factors import estimate_over_classes


def class_losses(full: Tensor, without: Tensor, classes: Tensor, chosen: Sequence[int]) -> Tensor:
    """Average over the images of each class what is lost without each head.

    Args:
        full: (K,) values of images with all heads, higher is better.
        without: (G, K) those without each head.
        classes: (K,) int64.
        chosen: C classes, each with an image at least.

    Returns:
        (G, C) float64, above 0 where the head is missed.

    >>> class_losses(torch.ones(2), torch.tensor([[0.0, 1.0]]), torch.tensor([5, 7]), [5, 7]).tolist()
    [[1.0, 0.0]]
    """
    member = (classes[:, None] == torch.tensor(chosen)).double()  # (images, classes)
    return (full - without).double() @ (member / member.sum(dim=0))


def compare_losses(losses: Tensor, heads: Sequence[int], *, num_heads: int) -> dict[str, Any]:
    """Compare what classes lose without their own concept head with what others lose, and with other heads.

    Args:
        losses: (G, C) float64 of G heads, layer after layer, and C >= 2 classes; see :func:`class_losses`.
        heads: C numbers, the concept head of each class.
        num_heads: heads of a layer, 2 or more.

    Returns:
        Means over classes with their 95 % interval over classes. ``own``: the loss of a class without its head;
        ``others``: of the other classes without it; ``random``: of the class without each other head of that layer.
        Paired differences, above 0 where the class suffers more: ``more_than_others``, ``more_than_random``, and
        ``interaction``, how much more than others it suffers, less the same for the other heads of the layer, so that
        neither classes that any head matters to nor heads that matter to any class count. On average over classes,
        ``others`` is also what classes lose without the concept heads of other classes.

    Raises:
        ValueError: fewer than two classes or heads of a layer.

    >>> scores = compare_losses(torch.eye(4, dtype=torch.float64), [0, 1, 2, 3], num_heads=2)
    >>> {name: round(score["value"], 3) for name, score in scores.items() if name in ("own", "others", "interaction")}
    {'own': 1.0, 'others': 0.0, 'interaction': 1.333}
    """
    classes = losses.shape[1]
    if classes < 2 or num_heads < 2:
        raise ValueError(f"Expected two classes and two heads of a layer at least, got {classes} and {num_heads}.")
    own_head = torch.tensor(heads)
    every = torch.arange(len(losses))
    same_layer = (every // num_heads == (own_head // num_heads)[:, None]) & (every != own_head[:, None])  # (C, G)
    to_others = (losses.sum(dim=1, keepdim=True) - losses) / (classes - 1)  # (G, C), all classes but this one
    matched = same_layer.double() / (num_heads - 1)
    place = torch.arange(classes)
    own, others = losses[own_head, place], to_others[own_head, place]
    random, random_others = (torch.einsum("cg,gc->c", matched, each) for each in (losses, to_others))
    values = {
        "own": own,
        "others": others,
        "random": random,
        "more_than_others": own - others,
        "more_than_random": own - random,
        "interaction": (own - others) - (random - random_others),
    }
    return {name: estimate_over_classes(each, place) for name, each in values.items()}
