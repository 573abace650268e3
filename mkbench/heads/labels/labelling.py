"""Labelling of heads: labels from their texts, judgements, and the control with shuffled labels."""

from collections.abc import Sequence

import torch

from mkbench.heads.labels.base import Judge, LabelContext, Labeller
from mkbench.heads.labels.document import LabelDocument, LabelledHead, ShuffledLabels
from mkbench.heads.labels.records import HeadTexts


def shuffle_labels(labels: Sequence[str | None], *, seed: int) -> list[str | None]:
    """Permute the labels among the heads that have one; a head may get its own.

    Args:
        labels: of each head; None where there is none, which stays so.
        seed: seed of the shuffle.

    >>> shuffle_labels(["colour", None, "shape", "size"], seed=1)
    ['shape', None, 'size', 'colour']
    """
    places = [place for place, label in enumerate(labels) if label]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed)).tolist()
    shuffled = list(labels)
    for place, other in zip(places, order, strict=True):
        shuffled[place] = labels[places[other]]
    return shuffled


def label_heads(
    heads: Sequence[HeadTexts],
    labeller: Labeller,
    judge: Judge,
    context: LabelContext,
    *,
    shuffles: int = 1,
    seed: int = 0,
) -> LabelDocument:
    """Label heads, judge their labels, and judge shuffled labels as a control.

    Args:
        heads: in their order, layer by layer.
        labeller: what finds the labels.
        judge: what judges whether texts fit them.
        context: what both may use.
        shuffles: how often labels are shuffled over the heads and judged again. Each costs a language model a question
            for every head. A judge that knows only its own labels has no such control.
        seed: of the shuffles.

    Returns:
        All of it as data.

    Raises:
        ValueError: for a negative number of shuffles.
        MkbenchError: as labeller and judge.

    Example:
        >>> from mkbench.heads.labels import BankLabeller, SimilarityJudge
        >>> class Lengths:
        ...     def encode_text(self, texts):
        ...         return torch.tensor([[float(len(text)), 9.0] for text in texts])
        >>> heads = [HeadTexts(0, 0, ("a red ball", "green"))]
        >>> document = label_heads(heads, BankLabeller(), SimilarityJudge(), LabelContext(Lengths()))
        >>> len(document.heads), len(document.shuffled)
        (1, 1)
    """
    if shuffles < 0:
        raise ValueError(f"shuffles must not be negative, found {shuffles}")
    labels = labeller.label(heads, context)
    names = [label.label for label in labels]
    judgements = judge.judge(heads, names, context)
    permuted = [shuffle_labels(names, seed=seed + number) for number in range(shuffles if judge.any_label else 0)]
    again = judge.judge([*heads] * len(permuted), [name for one in permuted for name in one], context)
    chunks = [again[start : start + len(heads)] for start in range(0, len(again), max(1, len(heads)))]
    return LabelDocument(
        heads=tuple(map(LabelledHead, heads, labels, judgements)),
        shuffled=tuple(
            ShuffledLabels(tuple(one), tuple(judgement.fits for judgement in chunk))
            for one, chunk in zip(permuted, chunks, strict=False)  # no chunks without heads
        ),
        labeller=labeller.settings(),
        judge=judge.settings(),
    )
