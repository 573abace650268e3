"""What finds the property of a head, and what judges whether its texts fit it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mkbench.concepts.text import TextEncoder
from mkbench.heads.labels.records import HeadLabel, HeadTexts, Judgement


@dataclass(frozen=True)
class LabelContext:
    """Inputs that labellers and judges may use.

    Attributes:
        encoder: the text encoder of the model whose heads they are; None where there is none.
        log: file that answers are added to as they come, so that an interrupted run asks only for the missing ones;
            None keeps none.
        progress: draw a bar on standard error while questions are asked.
    """

    encoder: TextEncoder | None = None
    log: Path | None = None
    progress: bool = True


class Labeller(Protocol):
    """Finds one property that the texts of a head share."""

    def settings(self) -> dict[str, object]:
        """Every choice that changes its labels, as JSON."""
        ...

    def label(self, heads: Sequence[HeadTexts], context: LabelContext) -> list[HeadLabel]:
        """Return the property of each head; one without any says why."""
        ...


class Judge(Protocol):
    """Judges whether texts fit a property."""

    @property
    def any_label(self) -> bool:
        """Whether it can judge any label, shuffled ones too."""
        ...

    def settings(self) -> dict[str, object]:
        """Every choice that changes its judgements, as JSON."""
        ...

    def judge(self, heads: Sequence[HeadTexts], labels: Sequence[str | None], context: LabelContext) -> list[Judgement]:
        """Return for each head which of its texts fit the label; a head without a label is not judged."""
        ...
