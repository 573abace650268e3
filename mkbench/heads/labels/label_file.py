"""Labels and judgements from a file: made by hand, or by an earlier run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mkbench.errors import DataError
from mkbench.heads.labels.base import LabelContext
from mkbench.heads.labels.document import LabelledHead, read_labels
from mkbench.heads.labels.normalise import normalise_label
from mkbench.heads.labels.records import NO_LABEL, HeadLabel, HeadTexts, Judgement, Source

NOT_IN_FILE, OTHER_LABEL = "not in the file", "judged under another label"


def _describe(path: Path) -> dict[str, object]:
    read_labels(path)  # says what is wrong with it
    return {"name": "file", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _find_heads(path: Path, heads: Sequence[HeadTexts]) -> list[LabelledHead | None]:
    """The entry of each head; None where the file has none."""
    entries = {(entry.texts.layer, entry.texts.head): entry for entry in read_labels(path).heads}
    found = [entries.get((head.layer, head.head)) for head in heads]
    if heads and not any(found):
        raise DataError(
            f"Expected labels of {heads[0].name} and others in {path}, found none of these heads; is it the file of "
            "another model?"
        )
    for head, entry in zip(heads, found, strict=True):
        if entry and entry.texts.texts and entry.texts.texts != head.texts:
            raise DataError(
                f"Expected labels for the texts of this run in {path}, found other texts for {head.name}; label them "
                "again, or leave the texts out of the file."
            )
    return found


@dataclass(frozen=True)
class FileLabeller:
    """Takes labels from a file, see :func:`mkbench.heads.labels.read_labels`.

    Where the file says for which texts a label was found, they must be those of the head.

    Args:
        path: the file.
    """

    path: Path

    def settings(self) -> dict[str, object]:
        """Every choice that changes its labels."""
        return _describe(self.path)

    def label(self, heads: Sequence[HeadTexts], context: LabelContext) -> list[HeadLabel]:
        """Return the label of each head, normalised.

        Raises:
            UsageError: the file is missing.
            DataError: it is damaged, or made for other heads or texts.
        """
        absent = HeadLabel(None, Source(self.path.name), NOT_IN_FILE)
        return [_normalised(entry.label) if entry else absent for entry in _find_heads(self.path, heads)]


def _normalised(label: HeadLabel) -> HeadLabel:
    normalised = normalise_label(label.label or "")
    return HeadLabel(normalised or None, label.source, None if normalised else label.reason or NO_LABEL)


@dataclass(frozen=True)
class FileJudge:
    """Takes judgements from the ``fits`` of a file, see :func:`mkbench.heads.labels.read_labels`.

    Judgements hold for the label that they stand beside: under another label, shuffled ones too, a head is not judged.

    Args:
        path: the file.
    """

    path: Path

    any_label: ClassVar[bool] = False

    def settings(self) -> dict[str, object]:
        """Every choice that changes its judgements."""
        return _describe(self.path)

    def judge(self, heads: Sequence[HeadTexts], labels: Sequence[str | None], context: LabelContext) -> list[Judgement]:
        """Return for each head which of its texts fit the label.

        Raises:
            UsageError: the file is missing.
            DataError: it is damaged, or made for other heads or texts.
        """
        found = _find_heads(self.path, heads)
        return [self._look_up(*one) for one in zip(heads, labels, found, strict=True)]

    def _look_up(self, head: HeadTexts, label: str | None, entry: LabelledHead | None) -> Judgement:
        source = entry.judgement.source if entry else Source(self.path.name)
        if not label:
            return Judgement(None, source, NO_LABEL)
        if entry is None or entry.judgement.fits is None:
            return Judgement(None, source, (entry and entry.judgement.reason) or NOT_IN_FILE)
        if normalise_label(entry.label.label or "") != label:
            return Judgement(None, source, OTHER_LABEL)
        if len(entry.judgement.fits) != len(head.texts):
            raise DataError(
                f"Expected {len(head.texts)} judgements of {head.name} in {self.path}, found "
                f"{len(entry.judgement.fits)}; judge again."
            )
        return entry.judgement
