"""Concept groups: which descriptors of a bank say the same, so that concepts are counted and not strings."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor

from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.errors import DataError, UsageError
from mkbench.text_files import parse_json

#: Equal embeddings may lie this far apart.
_ROUNDING = 1e-9


def label_groups(keys: Iterable[Hashable]) -> Tensor:
    """Number the groups of a bank by what its descriptors state; equal keys are one group.

    Args:
        keys: what each of D descriptors states.

    Returns:
        (D,) int64 group of every descriptor, 0..G-1 in order of first appearance.

    Example:
        >>> label_groups(["tail", "ears", "tail"])
        tensor([0, 1, 0])
    """
    numbers: dict[Hashable, int] = {}
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], dtype=torch.int64)


def cluster_groups(embeddings: Tensor, threshold: float) -> Tensor:
    """Group descriptors whose text embeddings lie close together.

    Average linkage: the two groups whose descriptors have the highest mean cosine are joined, for as long as it is at
    least the threshold. There is no random choice. At 1 only descriptors of equal embeddings are one group.

    On Critters, whose 247 descriptors state 108 facts, the four bundled text encoders find 54 to 99 groups at 0.9 and
    101 to 122 at 0.95; their adjusted Rand index with the facts is 0.20 to 0.65 at 0.9, 0.42 to 0.77 at 0.95, and lower
    below. So 0.95 is a start; no value is right for all models, and results should be looked at over several.

    Args:
        embeddings: (D, d) of the descriptors, normalised inside.
        threshold: least mean cosine of two groups that are joined, -1..1.

    Returns:
        (D,) int64 group of every descriptor, 0..G-1 in order of first appearance.

    Raises:
        ValueError: embeddings that are not (D, d) or not finite, or a threshold out of range.

    Example:
        >>> cluster_groups(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.1]]), 0.9)
        tensor([0, 1, 0])
    """
    if embeddings.ndim != 2:
        raise ValueError(f"embeddings must be (descriptors, dim), found {tuple(embeddings.shape)}")
    if not -1 <= threshold <= 1:
        raise ValueError(f"threshold must lie in -1..1, found {threshold}")
    require_finite(embeddings, name="embeddings")
    if len(embeddings) < 2:
        return torch.zeros(len(embeddings), dtype=torch.int64)
    rows = unit_rows(embeddings.detach().double().cpu())
    distances = (1 - rows @ rows.T).clamp(min=0)
    above = torch.triu_indices(len(rows), len(rows), offset=1)
    joined = linkage(distances[above[0], above[1]].numpy(), method="average")
    return label_groups(fcluster(joined, 1 - threshold + _ROUNDING, criterion="distance").tolist())


def load_groups(path: str | Path, descriptors: Sequence[str]) -> Tensor:
    """Read the groups of a bank from a JSON object {group: [descriptors]}.

    Args:
        path: the file, UTF-8.
        descriptors: the bank, in its order; one that the file does not name is a group of its own.

    Returns:
        (D,) int64 group of every descriptor, 0..G-1 in order of first appearance.

    Raises:
        UsageError: if the file is missing or cannot be read.
        DataError: if it is no such object, or names a descriptor twice or one that the bank does not have.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "groups.json"
        ...     _ = file.write_text('{"tail": ["a tail", "it has a tail"]}')
        ...     load_groups(file, ["a tail", "ears", "it has a tail"])
        tensor([0, 1, 0])
    """
    try:
        content: Any = parse_json(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"Expected a file of concept groups at {path}, found no readable file ({error.strerror}); check the path."
        ) from error
    except ValueError as error:
        raise DataError(
            f"Expected a JSON object {{group: [descriptors]}} in {path}, found {error}; repair it."
        ) from error
    owners = _owners(content, path)
    known = set(descriptors)
    unknown = next((text for text in owners if text not in known), None)
    if unknown is not None:
        raise DataError(f"Expected descriptors of the bank in {path}, found {unknown!r}; correct it or remove it.")
    return label_groups(("group", owners[text]) if text in owners else ("alone", text) for text in descriptors)


def _owners(content: Any, path: str | Path) -> Mapping[str, str]:
    """Return descriptor -> name of its group."""
    if not isinstance(content, dict) or not all(isinstance(texts, list) for texts in content.values()):
        raise DataError(f"Expected a JSON object {{group: [descriptors]}} in {path}, found another form; convert it.")
    owners: dict[str, str] = {}
    for group, texts in content.items():
        for text in texts:
            if not isinstance(text, str) or owners.setdefault(text, group) != group:
                raise DataError(
                    f"Expected every descriptor as a string in one group of {path}, found {text!r} in {group!r}"
                    f"{'' if not isinstance(text, str) else f' and in {owners[text]!r}'}; correct it."
                )
    return owners
