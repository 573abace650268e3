"""Cards of labelled heads: label, score beside permuted labels, and texts with the variance that they explain."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelDocument, LabelledHead, normalise_label
from mkbench.studies.head_labels.scores import count_fits
from mkbench.studies.head_labels.study import HeadReport, TextShare


@dataclass(frozen=True)
class CardText:
    """A text of a head.

    Attributes:
        text: as it stands in the pool.
        explained: share of the head's variance over images that it explains, 0 to 1.
        fits: whether it fits the head's label; None where it was not judged.
    """

    text: str
    explained: float
    fits: bool | None


@dataclass(frozen=True)
class HeadCard:
    """An attention head with all that a run says of it.

    Attributes:
        layer: number of its block, from 0.
        head: its number in the block, from 0.
        label: its property; None where it has none.
        score: how many of five texts fit the label; None where they were not judged.
        permuted: the same under permuted labels, averaged over the shuffles; None without this control.
        shares_label: other heads of the same label, in their order.
        explained: share of its variance over images that its texts explain, 0 to 1.
        texts: most important first.
    """

    layer: int
    head: int
    label: str | None
    score: int | None
    permuted: float | None
    shares_label: tuple[Head, ...]
    explained: float
    texts: tuple[CardText, ...]


def head_cards(report: HeadReport) -> list[HeadCard]:
    """Return the card of each head of a run, in the order of its labels."""
    document = report.document
    places = [(one.texts.layer, one.texts.head) for one in document.heads]
    properties = [normalise_label(one.label.label or "") for one in document.heads]
    alike: dict[str, list[Head]] = defaultdict(list)
    for head, name in zip(places, properties, strict=True):
        alike[name].append(head)
    return [
        HeadCard(
            layer=head[0],
            head=head[1],
            label=one.label.label,
            score=count_fits(one.judgement.fits),
            permuted=_permuted(document, number),
            shares_label=tuple(other for other in alike[name] if name and other != head),
            explained=report.explained[number],
            texts=_texts(one, report.texts[number]),
        )
        for number, (one, head, name) in enumerate(zip(document.heads, places, properties, strict=True))
    ]


def _permuted(document: LabelDocument, number: int) -> float | None:
    """A head without a judgement under a permuted label fits none of its texts, as in the metrics."""
    if not document.shuffled:
        return None
    return fmean(count_fits(one.fits[number]) or 0 for one in document.shuffled)


def _texts(head: LabelledHead, shares: tuple[TextShare, ...]) -> tuple[CardText, ...]:
    # The first texts alone are judged; labels from a file may be of other texts.
    fits = dict(zip(head.texts.texts, head.judgement.fits or (), strict=False))
    return tuple(CardText(one["text"], one["explained_variance"], fits.get(one["text"])) for one in shares)
