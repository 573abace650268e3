"""Models that a page asks: what each can be asked, opened once and kept."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from matplotlib.figure import Figure
from torch import Tensor

from mkbench.errors import MkbenchError, UsageError, did_you_mean
from mkbench.heads.labels import LabelDocument
from mkbench.studies.head_queries.query_images import RunImages
from mkbench.studies.head_queries.study import HeadRun


class NamedConcept(Protocol):
    """Descriptor found in an image, its importance, and whether the text encoder names it too."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def importance(self) -> float: ...  # noqa: D102
    @property
    def mutual(self) -> bool: ...  # noqa: D102


class Explanation(Protocol):
    """What a page shows of an explained image; ``mkbench.ImageExplanation`` says what each of them is."""

    @property
    def predictions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def concepts(self) -> Sequence[NamedConcept]: ...  # noqa: D102
    @property
    def language(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def mutual_information(self) -> float: ...  # noqa: D102
    @property
    def auc(self) -> float: ...  # noqa: D102
    @property
    def chance_auc(self) -> float: ...  # noqa: D102
    @property
    def kept(self) -> int: ...  # noqa: D102

    def plot(self) -> Figure:
        """Draw the explanation."""


@dataclass(frozen=True)
class AskedModel:
    """A model, and what it can be asked.

    Attributes:
        about: the model, its run and its images, in a line.
        images: of the run, and the geometry of the model.
        explain: explains an image (3, H, W) uint8.
        heads: the run whose attention heads are asked, or why there is none.
        labels: what is known of its heads; None before they were labelled.
        texts: two or more examples of what images may show.
    """

    about: str
    images: RunImages
    explain: Callable[[Tensor], Explanation]
    heads: HeadRun | MkbenchError
    labels: LabelDocument | None
    texts: Sequence[str]

    def require_heads(self) -> HeadRun:
        """Return the run whose heads are asked.

        Raises:
            MkbenchError: why there is none.
        """
        if isinstance(self.heads, MkbenchError):
            raise type(self.heads)(*self.heads.args)
        return self.heads


#: Opens a model; it says what it does meanwhile.
Opener: TypeAlias = Callable[[Callable[[str], None]], AskedModel]


class ModelShelf:
    """Models of a page by name: each is opened when it is first asked for, once for all who ask.

    A model counts its truncated texts and is read through hooks, so that it must answer one question at a time:
    whoever asks holds ``lock``.

    Args:
        openers: at least one.

    Attributes:
        lock: held while any model works.

    >>> ModelShelf({"vit": lambda say: None}).open("vitt")
    Traceback (most recent call last):
    mkbench.errors.UsageError: Expected a model of this page, found 'vitt'; did you mean vit.
    """

    def __init__(self, openers: Mapping[str, Opener]) -> None:
        self._openers, self._opened = dict(openers), dict[str, AskedModel]()
        self.lock = threading.RLock()

    @property
    def names(self) -> list[str]:
        """The models, opened or not."""
        return list(self._openers)

    def open(self, name: str, say: Callable[[str], None] = lambda said: None) -> AskedModel:
        """Return a model.

        Args:
            name: of the model.
            say: is told what takes long.

        Raises:
            UsageError: no such model.
            MkbenchError: it cannot be opened.
        """
        if name not in self._openers:
            raise UsageError(f"Expected a model of this page, found {name!r}; {did_you_mean(name, self.names)}.")
        with self.lock:
            if name not in self._opened:
                self._opened[name] = self._openers[name](say)
            return self._opened[name]
