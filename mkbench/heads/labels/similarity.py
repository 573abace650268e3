"""Labels and judgements from the model's own text encoder, without a language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from mkbench.concepts.bank import ConceptBank, load_bank
from mkbench.concepts.linalg import unit_rows
from mkbench.concepts.templates import require_template
from mkbench.concepts.text import TextEncoder, bank_embeddings
from mkbench.errors import UsageError
from mkbench.heads.labels.base import LabelContext
from mkbench.heads.labels.normalise import normalise_label
from mkbench.heads.labels.records import NO_LABEL, NO_TEXTS, HeadLabel, HeadTexts, Judgement, Source

#: Property words that come with the package.
PROPERTIES = Path(__file__).resolve().parents[2] / "assets" / "heads" / "properties.json"
TEMPLATE = "a picture showing {}"
_ROUNDING = 1e-12  # words that the encoder reads alike differ in their last bits only


def _require_encoder(context: LabelContext) -> TextEncoder:
    if context.encoder is None:
        raise UsageError(
            "Expected a model whose text encoder compares texts and labels, found none; give one, or label by a "
            "language model or a file."
        )
    return context.encoder


def _embed(encoder: TextEncoder, texts: Sequence[str], template: str) -> Tensor:
    """(T, d) float64 unit rows; every different text is encoded once."""
    unique = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    rows = unit_rows(bank_embeddings(encoder, list(unique), template).cpu().double())
    return rows[[unique[text] for text in texts]]


@dataclass(frozen=True)
class BankLabeller:
    """Gives each head the label of a bank whose embedding is nearest to the mean of its texts' embeddings.

    The texts' unit embeddings are averaged; the labels are embedded in a template; nearest is the highest cosine, ties
    to the earlier label.

    Args:
        bank: a ``.json`` list or a ``.txt`` file of labels; None is the list of property words of the package.
        template: text with ``{}`` where the label goes.

    >>> BankLabeller().settings()["size"] > 100
    True
    """

    bank: Path | None = None
    template: str = TEMPLATE

    def __post_init__(self) -> None:
        require_template("the template of labels", self.template)

    def settings(self) -> dict[str, object]:
        """Every choice that changes its labels."""
        return {"name": "bank", "template": self.template, **_describe(load_bank(self.bank or PROPERTIES))}

    def label(self, heads: Sequence[HeadTexts], context: LabelContext) -> list[HeadLabel]:
        """Return the nearest label of each head.

        Raises:
            UsageError: without a text encoder, or if the bank cannot be read.
            DataError: a damaged bank.
        """
        encoder = _require_encoder(context)
        if not any(head.texts for head in heads):
            return [HeadLabel(None, Source("nearest label"), NO_TEXTS) for _ in heads]
        bank = load_bank(self.bank or PROPERTIES)
        counts = torch.tensor([len(head.texts) for head in heads])
        owners = torch.arange(len(heads)).repeat_interleave(counts)
        texts = _embed(encoder, [text for head in heads for text in head.texts], "{}")  # (texts, dim)
        means = torch.zeros(len(heads), texts.shape[1], dtype=torch.float64).index_add_(0, owners, texts)
        cosines = unit_rows(means) @ _embed(encoder, bank.descriptors, self.template).T  # (heads, labels)
        nearest = (cosines / _ROUNDING).round().argsort(dim=1, descending=True, stable=True)[:, 0]
        source = Source("nearest label", prompt=self.template)
        return [
            HeadLabel(normalise_label(bank.descriptors[place]), source)
            if head.texts
            else HeadLabel(None, source, NO_TEXTS)
            for head, place in zip(heads, nearest.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class SimilarityJudge:
    """Says that a text fits a label if it is more similar to it than to most labels of a bank.

    A text fits if its cosine to the label, embedded in a template, lies above a quantile of its cosines to the labels
    of the bank. A label drawn from the bank at random thus fits a text in about ``1 - quantile`` of all cases.

    Args:
        quantile: share of the bank's labels that the label must exceed, between 0 and 1; 0.5 is the median label.
        bank: a ``.json`` list or a ``.txt`` file of labels; None is the list of property words of the package.
        template: text with ``{}`` where the label goes.

    Raises:
        ValueError: for a quantile out of range.

    >>> SimilarityJudge(quantile=0.5).settings()["quantile"]
    0.5
    """

    quantile: float = 0.9
    bank: Path | None = None
    template: str = TEMPLATE

    any_label: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.quantile < 1:
            raise ValueError(f"quantile must be at least 0 and below 1, found {self.quantile}")
        require_template("the template of labels", self.template)

    def settings(self) -> dict[str, object]:
        """Every choice that changes its judgements."""
        bank = _describe(load_bank(self.bank or PROPERTIES))
        return {"name": "similarity", "quantile": self.quantile, "template": self.template, **bank}

    def judge(self, heads: Sequence[HeadTexts], labels: Sequence[str | None], context: LabelContext) -> list[Judgement]:
        """Return for each head which of its texts fit the label.

        Raises:
            UsageError: without a text encoder, or if the bank cannot be read.
            DataError: a damaged bank.
        """
        encoder = _require_encoder(context)
        pairs = [(text, label) for head, label in zip(heads, labels, strict=True) if label for text in head.texts]
        fits = iter(self._compare(encoder, pairs) if pairs else [])
        source = Source("text similarity", prompt=self.template)
        return [
            Judgement(tuple(next(fits) for _ in head.texts), source) if label else Judgement(None, source, NO_LABEL)
            for head, label in zip(heads, labels, strict=True)
        ]

    def _compare(self, encoder: TextEncoder, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        bank = load_bank(self.bank or PROPERTIES).descriptors
        unique = list(dict.fromkeys(text for text, _ in pairs))
        places = {text: place for place, text in enumerate(unique)}
        texts = _embed(encoder, unique, "{}")  # (different texts, dim)
        chosen = texts[[places[text] for text, _ in pairs]]  # (pairs, dim)
        own = (chosen * _embed(encoder, [label for _, label in pairs], self.template)).sum(dim=1)
        bars = (texts @ _embed(encoder, bank, self.template).T).quantile(self.quantile, dim=1)
        margins = own - bars[[places[text] for text, _ in pairs]]
        return (margins > _ROUNDING).tolist()


def _describe(bank: ConceptBank) -> dict[str, object]:
    return {"sha256": bank.sha256, "size": len(bank)}
