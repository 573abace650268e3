"""Options of a head query, and their checks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mkbench.errors import UsageError
from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelDocument, normalise_label, read_labels
from mkbench.runs.run_folder import LABELS

#: More than any text encoder reads: its words are not even taken apart.
_MOST_CHARACTERS = 2000


def read_properties(run: Path, layers: Sequence[int]) -> dict[Head, str]:
    """Return the property of each head of some layers that has one.

    Args:
        run: folder of a run.
        layers: the layers.

    Raises:
        UsageError: the heads of the run were not labelled yet.
        DataError: a damaged file.

    >>> read_properties(Path("nowhere"), [3])
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected the properties of the heads at nowhere/labels.json, found none; run `mkbench ...
    """
    found = {(head.texts.layer, head.texts.head): head.label.label for head in read_run_labels(run).heads}
    return {head: label for head, label in found.items() if label and head[0] in layers}


def read_run_labels(run: Path) -> LabelDocument:
    """Read all that is known of the labels of a run's heads.

    Args:
        run: folder of a run.

    Raises:
        UsageError: the heads of the run were not labelled yet.
        DataError: a damaged file.
    """
    path = run / LABELS
    if not path.is_file():
        raise UsageError(
            f"Expected the properties of the heads at {path.as_posix()}, found none; run `mkbench heads "
            f"{run.as_posix()}` first."
        )
    return read_labels(path)


def find_property(name: str, labels: Mapping[Head, str]) -> tuple[str, list[Head]]:
    """Return a property in the spelling of the labels, and the heads that have it.

    Args:
        name: in any case, singular or plural.
        labels: the property of each head.

    Raises:
        UsageError: no head has it.

    >>> find_property("Colours", {(3, 1): "colour", (3, 0): "shape"})
    ('colour', [(3, 1)])
    """
    wanted = normalise_label(name)
    heads = sorted(head for head, label in labels.items() if normalise_label(label) == wanted)
    if heads:
        return labels[heads[0]], [head for head in heads if labels[head] == labels[heads[0]]]
    held = ", ".join(f"{label} ({count})" for label, count in sorted(Counter(labels.values()).items()))
    raise UsageError(
        f"Expected a --property that heads of the run have, found {name!r}; they have, with how many of them, "
        f"{held or 'none'}."
    )


def require_head(head: Head, *, layers: Sequence[int], num_heads: int) -> None:
    """Check that there is such a head.

    Args:
        head: layer and head.
        layers: those that there are.
        num_heads: of each of them.

    Raises:
        UsageError: there is none.

    >>> require_head((3, 9), layers=[2, 3], num_heads=4)
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected --head LAYER.HEAD of the layers 2, 3 and the heads 0 to 3, found 3.9; give ...
    """
    layer, number = head
    if layer not in layers or number >= num_heads:
        raise UsageError(
            f"Expected --head LAYER.HEAD of the layers {', '.join(map(str, layers))} and the heads 0 to "
            f"{num_heads - 1}, found {layer}.{number}; give one of these."
        )


def require_comparable(heads: Sequence[Head], *, seeds: int) -> None:
    """Check a set of heads that is compared with random ones.

    Args:
        heads: of the set.
        seeds: how many random sets.

    Raises:
        UsageError: a head twice, or no seed.

    >>> require_comparable([(3, 1)], seeds=0)
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected --seeds of 1 or more, found 0.
    """
    if len(set(heads)) < len(heads):
        raise UsageError("Expected every head once in --heads, found one of them twice; leave the repeats out.")
    if seeds < 1:
        raise UsageError(f"Expected --seeds of 1 or more, found {seeds}.")


def require_words(texts: Sequence[str], *, where: str = "") -> tuple[str, ...]:
    """Return texts without the space around them.

    Args:
        texts: any number.
        where: what the sentence says of where they come from, such as " in names.txt".

    Raises:
        UsageError: one of them is empty, or longer than any model reads.

    >>> require_words([" an owl"])
    ('an owl',)
    """
    words = tuple(text.strip() for text in texts)
    if not all(words):
        raise UsageError("Expected a text of at least one word, found an empty one; say what to look for.")
    longest = max(map(len, words), default=0)
    if longest > _MOST_CHARACTERS:
        raise UsageError(
            f"Expected a text of at most {_MOST_CHARACTERS:,} characters{where}, found one of {longest:,}; shorten it."
        )
    return words
