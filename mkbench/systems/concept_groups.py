"""Which descriptors a run counts as one concept."""

import hashlib
from pathlib import Path
from typing import Literal

from torch import Tensor, tensor

from mkbench.concepts import ConceptBank
from mkbench.concepts.concept_groups import cluster_groups, load_groups
from mkbench.errors import UsageError

#: ``auto``: what the data knows; ``none``; a threshold of text clustering; or a file.
GroupChoice = Literal["auto", "none"] | float | Path


def choose_groups(choice: GroupChoice, bank: ConceptBank, embeddings: Tensor) -> Tensor | None:
    """Return the group of every descriptor, (D,) int64 on the device of the embeddings; None for no groups.

    Args:
        choice: ``auto`` takes the bank's own groups, if it has any; a number clusters the embeddings at this cosine.
        bank: D descriptors.
        embeddings: (D, d) of the descriptors.

    Raises:
        UsageError: a threshold out of range, or a file that cannot be read.
        DataError: a file of another form.
    """
    if isinstance(choice, str):
        return None if choice == "none" or bank.groups is None else tensor(bank.groups, device=embeddings.device)
    if isinstance(choice, Path):
        return load_groups(choice, bank.descriptors).to(embeddings.device)
    if not -1 <= choice <= 1:
        raise UsageError(
            f"Expected --model.concept_groups to be auto, none, a file, or a cosine in -1..1, found {choice}; "
            "0.95 is a start."
        )
    return cluster_groups(embeddings, choice).to(embeddings.device)


def describe_groups(choice: GroupChoice) -> str | float:
    """Return a choice as JSON for the settings of a run, a file by its content.

    >>> describe_groups("auto"), describe_groups(0.95)
    ('auto', 0.95)
    """
    if not isinstance(choice, Path):
        return choice
    try:
        return hashlib.sha256(choice.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            f"Expected a file of concept groups at {choice}, found no readable file ({error.strerror}); check the path."
        ) from error
