"""Sizes of an explanation that a run gives once for all of its explainers: parts, descriptors of each, the pool."""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

_Explainer = TypeVar("_Explainer", bound="PartSizes")

#: The published L, k, and pool of a bank of 4,229 descriptors.
PART_SIZES: Mapping[str, int] = MappingProxyType({"num_parts": 5, "topk": 3, "pool": 500})


class PartSizes:
    """Base class of explainers that take the sizes they are not given from the run.

    Args:
        sizes: those of ``num_parts``, ``topk`` and ``pool`` that the explainer has; None: that of the run, and without
            a run the published one. Each becomes an attribute.

    Raises:
        ValueError: a size is below 1.

    >>> class Stripes(PartSizes):
    ...     def __init__(self, num_parts: int | None = None, topk: int | None = None) -> None:
    ...         super().__init__(num_parts=num_parts, topk=topk)
    >>> stripes = Stripes(topk=1).sized(num_parts=4, topk=2, pool=62)
    >>> stripes.num_parts, stripes.topk
    (4, 1)
    """

    num_parts: int
    topk: int
    pool: int

    def __init__(self, **sizes: int | None) -> None:
        self._left_open = frozenset(name for name, size in sizes.items() if size is None)
        self._set_sizes({name: PART_SIZES[name] if size is None else size for name, size in sizes.items()})

    def sized(self: _Explainer, **sizes: int) -> _Explainer:
        """Return this explainer with the sizes of a run where it was given none of its own.

        Raises:
            ValueError: a size is below 1.
        """
        made = copy.copy(self)
        made._set_sizes({name: size for name, size in sizes.items() if name in self._left_open})
        return made

    def _set_sizes(self, sizes: Mapping[str, int]) -> None:
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
            setattr(self, name, size)
