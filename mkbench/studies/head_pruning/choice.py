"""Choice of the heads to prune: by the concept of their texts, or by hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mkbench.errors import UsageError
from mkbench.heads.head_values import Head
from mkbench.studies.head_labels.scores import NUM_TEXTS, consistency_by_head
from mkbench.studies.head_queries.choice import read_run_labels, require_comparable, require_head

#: The sets of a run: by their concept consistency score, or named by the user.
HIGH, LOW, CHOSEN = "high", "low", "chosen"
_HIGH, _LOW = 5, 1


@dataclass(frozen=True)
class PruningOptions:
    """Choice of the heads to ablate, and of how much is measured.

    Attributes:
        high: one set are the heads with a concept consistency score (CCS) of so much or more; as published, 5.
        low: the other are those with so much or less; as published, 1.
        heads: ablate these, whatever their score, in the place of both sets.
        seeds: as many sets of random heads each set is compared with.
        images_per_class: classify the first images of each class only; None takes all of the run.

    Raises:
        UsageError: a number out of range, a head twice, or scores beside heads by hand.

    >>> PruningOptions().high
    5
    """

    high: int = _HIGH
    low: int = _LOW
    heads: tuple[Head, ...] = ()
    seeds: int = 5
    images_per_class: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= NUM_TEXTS:
            raise UsageError(
                f"Expected --low below --high, both of 0 to {NUM_TEXTS}, found {self.low} and {self.high}; change one."
            )
        if self.heads and (self.high, self.low) != (_HIGH, _LOW):
            raise UsageError("Expected either --heads or --high and --low, found both; leave one out.")
        require_comparable(self.heads, seeds=self.seeds)
        if self.images_per_class is not None and self.images_per_class < 1:
            raise UsageError(f"Expected --images-per-class of 1 or more, found {self.images_per_class}.")

    @property
    def described(self) -> dict[str, str]:
        """Description of each set by what its heads have in common.

        >>> PruningOptions(high=3).described
        {'high': 'a CCS of 3 or more', 'low': 'a CCS of 1 or less'}
        """
        if self.heads:
            return {CHOSEN: "the chosen heads"}
        return {HIGH: _at(self.high, NUM_TEXTS, "more"), LOW: _at(self.low, 0, "less")}


def _at(score: int, end: int, beyond: str) -> str:
    return f"a CCS of {score}" + (f" or {beyond}" if score != end else "")


def choose_sets(
    run: Path, options: PruningOptions, *, layers: Sequence[int], num_heads: int
) -> dict[str, tuple[Head, ...]]:
    """Return the heads of each set, sorted; one of two may be empty.

    Args:
        run: folder of the run, whose ``labels.json`` scores the heads.
        options: which heads.
        layers: those of the model.
        num_heads: of each of them.

    Raises:
        UsageError: the heads of the run were not labelled or judged yet, none has such a score, or those by hand are
            not there.
        DataError: a damaged file.
    """
    by_hand = {CHOSEN: tuple(sorted(options.heads))}
    sets = by_hand if options.heads else split_by_consistency(_read_scores(run), options)
    for head in (head for heads in sets.values() for head in heads):
        require_head(head, layers=layers, num_heads=num_heads)
    return sets


def _read_scores(run: Path) -> dict[Head, int]:
    document = read_run_labels(run)
    if all(head.judgement.fits is None for head in document.heads):
        raise UsageError(
            f"Expected heads whose texts were judged in the labels of {run.as_posix()}, found none; run `mkbench heads "
            f"{run.as_posix()}` again, or name heads with --heads."
        )
    return consistency_by_head(document)


def split_by_consistency(scores: Mapping[Head, int], options: PruningOptions) -> dict[str, tuple[Head, ...]]:
    """Return the heads of high and of low concept consistency, sorted; one of the two may be empty.

    Args:
        scores: CCS of each head, 0 to 5.
        options: from and up to which score.

    Raises:
        UsageError: both are empty; the message says which scores there are.

    >>> split_by_consistency({(3, 1): 5, (3, 0): 1, (2, 0): 3, (2, 1): 0}, PruningOptions())
    {'high': ((3, 1),), 'low': ((2, 1), (3, 0))}
    """
    high = tuple(sorted(head for head, score in scores.items() if score >= options.high))
    low = tuple(sorted(head for head, score in scores.items() if score <= options.low))
    if not high and not low:
        held = ", ".join(f"{score} ({count})" for score, count in sorted(Counter(scores.values()).items()))
        raise UsageError(
            f"Expected heads with {' or '.join(options.described.values())}, found those with a CCS of {held} (in "
            "brackets, how many); change --high or --low."
        )
    return {HIGH: high, LOW: low}
