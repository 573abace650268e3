"""Choice of the heads to remove: by number, or by the property of their labels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from mkbench.errors import UsageError
from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelDocument, normalise_label, read_labels
from mkbench.heads.store import ContributionStore
from mkbench.runs.run_folder import LABELS
from mkbench.studies.head_labels.scores import NUM_TEXTS
from mkbench.studies.head_queries.choice import read_properties, require_comparable, require_head

Ablation = Literal["zero", "mean"]


@dataclass(frozen=True)
class RemovalOptions:
    """Options of head removal: which heads, and how.

    Attributes:
        label: remove the heads with this property.
        fits: of these, the ones with at least so many of five texts that fit their label; 0 takes all.
        heads: remove these heads; either this or ``label``.
        ablation: replace what they add by nothing (``zero``), or by its mean over the images of the run (``mean``).
        seeds: as many sets of random heads are compared with.

    Raises:
        UsageError: both or neither of ``label`` and ``heads``, ``fits`` out of range or without ``label``, a head
            twice, an unknown ablation, or no seed.

    >>> RemovalOptions(heads=((3, 0),)).ablation
    'zero'
    """

    label: str | None = None
    fits: int = 0
    heads: tuple[Head, ...] = ()
    ablation: Ablation = "zero"
    seeds: int = 5

    def __post_init__(self) -> None:
        if (self.label is None) == (not self.heads):
            found = "neither" if self.label is None else "both"
            raise UsageError(f"Expected either --label or --heads, found {found}; give one of them.")
        if not 0 <= self.fits <= NUM_TEXTS or (self.fits and self.label is None):
            raise UsageError(f"Expected --fits of 0 to {NUM_TEXTS}, beside --label alone, found {self.fits}.")
        if self.ablation not in get_args(Ablation):
            raise UsageError(
                f"Expected --ablation to be one of {', '.join(get_args(Ablation))}, found {self.ablation}."
            )
        require_comparable(self.heads, seeds=self.seeds)


def choose_heads(run: Path, store: ContributionStore, options: RemovalOptions) -> list[Head]:
    """Return the heads to remove, sorted.

    Raises:
        UsageError: there are none, or not those.
    """
    if options.label is not None:
        labels = read_properties(run, store.layers)
        if options.fits:
            labels = consistent_labels(read_labels(run / LABELS), fits=options.fits)
        return heads_by_label(labels, options.label)
    for head in options.heads:
        require_head(head, layers=store.layers, num_heads=store.num_heads)
    return sorted(options.heads)


@lru_cache(maxsize=1)
def load_families() -> dict[str, tuple[str, ...]]:
    """Read which labels are kinds of a wider one, such as meadow of ground.

    >>> "sea" in load_families()["background"]
    True
    """
    text = (resources.files("mkbench") / "assets" / "heads" / "families.json").read_text(encoding="utf-8")
    return {name: tuple(labels) for name, labels in json.loads(text).items()}


def heads_by_label(labels: Mapping[Head, str], label: str) -> list[Head]:
    """List the heads that have a label, or one that is a kind of it, in their order.

    Args:
        labels: the label of each head that has one.
        label: in any spelling; ``background`` and ``ground`` stand for all their kinds in ``load_families``.

    Raises:
        UsageError: no head has it; the message says which labels there are.

    >>> heads_by_label({(11, 3): "meadow", (11, 0): "tail"}, "Backgrounds")
    [(11, 3)]
    """
    name = normalise_label(label)
    wanted = {name, *load_families().get(name, ())}
    found = sorted(head for head, own in labels.items() if normalise_label(own) in wanted)
    if not found:
        known = ", ".join(sorted(set(labels.values()))) or "none"
        raise UsageError(
            f"Expected --label to be one that a head has, found {label!r}; the labels are {known}. Give one of these, "
            "a smaller --fits, or heads with --heads."
        )
    return found


def consistent_labels(document: LabelDocument, *, fits: int) -> dict[Head, str]:
    """Return the labels of the heads whose texts fit them: of those for which a label says little, none.

    Args:
        document: the labels of all heads, and the judgement of their first five texts.
        fits: how many texts have to fit, the concept consistency score of a head (``concept_consistency``); of a head
            that was not judged, none does.

    >>> from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelledHead, Source
    >>> hand = Source("hand")
    >>> judged = Judgement((True, True, False, False, False), hand)
    >>> head = LabelledHead(HeadTexts(11, 3, ()), HeadLabel("meadow", hand), judged)
    >>> [consistent_labels(LabelDocument((head,), (), {}, {}), fits=least) for least in (2, 3)]
    [{(11, 3): 'meadow'}, {}]
    """
    return {
        (head.texts.layer, head.texts.head): head.label.label
        for head in document.heads
        if head.label.label and sum(head.judgement.fits or ()) >= fits
    }
