"""Controls of descriptor zero-shot classification: descriptors of other classes, and words at random."""

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import torch

Item = TypeVar("Item", int, str)


def shuffle_descriptors(own: Sequence[Sequence[Item]], *, seed: int = 0) -> list[tuple[Item, ...]]:
    """Deal the descriptors of classes to other classes; each class gets as many as it had.

    One that falls to a class that it is true of, as far as the bank says, is exchanged with another one, if there is
    any with which that helps. What accuracy is left then comes from the class names and from descriptors that are
    true of many classes.

    Source: the control of Roth et al., "Waffling around for Performance", ICCV 2023, arXiv 2306.07282.

    Args:
        own: descriptors of each of Y classes, ids or texts; may be empty.
        seed: of the shuffle.

    Returns:
        Y tuples.

    Example:
        >>> shuffle_descriptors([["wings", "beak"], ["wheels", "doors"]])
        [('doors', 'wheels'), ('wings', 'beak')]
    """
    owners = [index for index, of_class in enumerate(own) for _ in of_class]
    true_of = [set(of_class) for of_class in own]
    dealt = list(chain.from_iterable(own))
    generator = torch.Generator().manual_seed(seed)
    dealt = [dealt[place] for place in torch.randperm(len(dealt), generator=generator).tolist()]
    for place, owner in enumerate(owners):
        if dealt[place] in true_of[owner]:
            for other in torch.randperm(len(dealt), generator=generator).tolist():
                if dealt[other] not in true_of[owner] and dealt[place] not in true_of[owners[other]]:
                    dealt[place], dealt[other] = dealt[other], dealt[place]
                    break
    left = iter(dealt)
    return [tuple(next(left) for _ in of_class) for of_class in own]


def random_words(own: Sequence[Sequence[str]], *, seed: int = 0) -> list[tuple[str, ...]]:
    """Replace each descriptor by as many words, each drawn from the words of all descriptors.

    Words that are frequent among the descriptors are drawn as frequently. What accuracy is left comes from the class
    names alone, averaged over noise.

    Source: the control of Roth et al., "Waffling around for Performance", ICCV 2023, arXiv 2306.07282.

    Args:
        own: descriptors of each of Y classes; may be empty.
        seed: of the draws.

    Returns:
        Y tuples of as many texts as each class has.

    Example:
        >>> random_words([["large round eyes"], ["wings", "a tail"], []])
        [('eyes wings tail',), ('large', 'round wings'), ()]
    """
    words = [word for of_class in own for descriptor in of_class for word in descriptor.split()]
    generator = torch.Generator().manual_seed(seed)
    drawn = (words[place] for place in torch.randint(max(len(words), 1), (len(words),), generator=generator).tolist())
    return [tuple(" ".join(next(drawn) for _ in text.split()) for text in of_class) for of_class in own]
