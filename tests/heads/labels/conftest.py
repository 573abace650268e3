from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mkbench.heads.labels import HeadTexts, LabelContext


@pytest.fixture
def heads() -> tuple[HeadTexts, ...]:
    """Three heads of five texts."""
    words = ("red", "green", "blue", "grey", "pink")
    return tuple(HeadTexts(10, head, tuple(f"{word} thing {head}" for word in words)) for head in range(3))


@pytest.fixture
def context(tmp_path: Path) -> LabelContext:
    return LabelContext(log=tmp_path / "answers.jsonl", progress=False)


class Directions:
    """A text encoder whose words are directions: a text is the sum of those of its words that it knows."""

    def __init__(self, **words: list[float]) -> None:
        self.words = words
        self.seen: list[str] = []

    def encode_text(self, texts: list[str], /) -> torch.Tensor:
        self.seen += texts
        width = len(next(iter(self.words.values())))
        rows = torch.zeros(len(texts), width)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row.add_(torch.tensor(self.words.get(word, [0.0] * width)))
        return rows


@pytest.fixture
def directions() -> type[Directions]:
    return Directions
