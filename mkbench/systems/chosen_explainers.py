"""Explainers that a run was given: their sizes, and the names that tell their rows apart."""

from collections.abc import Mapping, Sequence

from mkbench.concepts import Explainer, PartSizes
from mkbench.concepts.part_sizes import PART_SIZES
from mkbench.errors import UsageError


def with_sizes(explainers: Sequence[Explainer], sizes: Mapping[str, int]) -> list[Explainer]:
    """Give the sizes of the run to all explainers that set none of their own.

    Raises:
        UsageError: a size below 1, or one that no explainer follows, as all that have such a size set another.

    >>> from mkbench.concepts import PartsExplainer
    >>> [explainer.topk for explainer in with_sizes([PartsExplainer(), PartsExplainer("kmeans", topk=4)], {"topk": 2})]
    [2, 4]
    """
    for option, size in sizes.items():
        if size < 1:
            raise UsageError(f"Expected --model.{option} to be at least 1, found {size}.")
    sized = [explainer.sized(**sizes) if isinstance(explainer, PartSizes) else explainer for explainer in explainers]
    for option, size in sizes.items():
        own = {explainer.name: getattr(explainer, option) for explainer in sized if hasattr(explainer, option)}
        if own and size not in (*own.values(), PART_SIZES[option]):
            found = ", ".join(f"{other} of {name}" for name, other in own.items())
            raise UsageError(
                f"Expected an explainer that leaves `{option}` to --model.{option}={size}, found only {found}; change "
                "it in their init_args."
            )
    return sized


def require_different(option: str, names: Sequence[str]) -> None:
    """Refuse two of one name: the rows of a run are told apart by it.

    Raises:
        UsageError: a name occurs more than once.

    >>> require_different("explainers", ["pca", "kmeans"])
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"Expected --model.{option} with different names, found {twice!r} more than once; run them one by one."
        )
