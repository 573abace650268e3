"""Class descriptions: the descriptors of each class, as prompts and as the vector an image is compared with."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.concepts.bank import ConceptBank
from mkbench.concepts.linalg import require_finite

#: Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix K.
DESCRIPTION_TEMPLATE = "how can you identify a {class}. Distinctive and physical features describing it is {descriptor}"
#: What such a template has to hold.
DESCRIPTION_PLACES = ("{class}", "{descriptor}")


def describe_class(template: str, class_name: str, descriptor: str) -> str:
    """Put a class and one descriptor into a template; braces in either stay as they are.

    >>> describe_class("a {class}, which has {descriptor}", "owl", "large eyes")
    'a owl, which has large eyes'
    """
    texts = dict(zip(DESCRIPTION_PLACES, (class_name, descriptor), strict=True))
    return re.sub("|".join(map(re.escape, DESCRIPTION_PLACES)), lambda place: texts[place[0]], template)


def _fold(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", name).casefold().split())


def own_descriptors(bank: ConceptBank, class_names: Sequence[str]) -> list[tuple[int, ...]]:
    """Look up the descriptors of every class by its name.

    A name that the bank does not spell the same is looked up without regard to case, punctuation and underscores, as
    long as only one name of the bank reads so. The order of the bank's keys plays no part.

    Args:
        bank: a bank with classes.
        class_names: Y names, in class order.

    Returns:
        Y tuples of descriptor ids, empty for classes that the bank lacks.

    Raises:
        ValueError: if the bank has no classes.

    Example:
        >>> bank = ConceptBank(("crust", "apples"), {"waffle": (0,), "apple pie": (1, 0)}, "bank.json", "")
        >>> own_descriptors(bank, ["Apple_pie", "waffle", "sushi"])
        [(1, 0), (0,), ()]
    """
    if bank.by_class is None:
        raise ValueError("the bank must have classes, found a list of descriptors")
    folded: dict[str, list[str]] = {}
    for name in bank.by_class:
        folded.setdefault(_fold(name), []).append(name)
    own = []
    for name in class_names:
        alike = [name] if name in bank.by_class else folded.get(_fold(name), [])
        own.append(bank.by_class[alike[0]] if len(alike) == 1 else ())
    return own


def description_vectors(texts: Tensor, owners: Tensor, without: Tensor) -> Tensor:
    """Average the descriptions of every class, so that one product gives an image's mean similarity to them.

    The mean of the cosines of a unit vector x with unit rows t_1..t_n is x . ((t_1 + ... + t_n) / n): the mean vector
    is *not* normalised again, which would weigh classes with descriptions that agree less.

    Args:
        texts: (T, d) unit rows, the descriptions of all classes.
        owners: (T,) int64, the class of each description.
        without: (Y, d) unit rows, what stands in for classes without any description.

    Returns:
        (Y, d) float64.

    Raises:
        ValueError: if shapes do not fit, a class is out of range, or a value is not finite.

    Example:
        >>> texts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> description_vectors(texts, torch.tensor([1, 1]), torch.tensor([[0.6, 0.8], [1.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.5, 0.5]]
    """
    if texts.ndim != 2 or without.ndim != 2 or texts.shape[1] != without.shape[1] or owners.shape != texts.shape[:1]:
        raise ValueError(
            f"texts must be (texts, dim), owners (texts,) and without (classes, dim), found {tuple(texts.shape)}, "
            f"{tuple(owners.shape)} and {tuple(without.shape)}"
        )
    classes = len(without)
    if len(owners) and not 0 <= int(owners.min()) <= int(owners.max()) < classes:
        raise ValueError(f"owners must lie in 0..{classes - 1}, found {int(owners.min())}..{int(owners.max())}")
    require_finite(texts, name="texts")
    require_finite(without, name="without")
    stand_in = without.double()
    counts = torch.bincount(owners, minlength=classes)[:, None]  # (classes, 1)
    sums = torch.zeros_like(stand_in).index_add_(0, owners, texts.double())
    return torch.where(counts > 0, sums / counts.clamp(min=1), stand_in)
