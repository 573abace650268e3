from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from result_documents import results

from mkbench.errors import DataError
from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, Source
from mkbench.runs.finished_runs import Run
from mkbench.studies.head_labels.present import present_heads
from mkbench.tables import to_markdown


def head(number: int, label: str | None, fits: tuple[bool, ...] | None) -> LabelledHead:
    source = Source("hand")
    texts = HeadTexts(11, number, ("a red ball", "a blue sky"))
    return LabelledHead(texts, HeadLabel(label, source, None if label else "no label"), Judgement(fits, source))


def describe(run: Path, *, heads: int = 2) -> None:
    """Texts and labels of two heads, as `mkbench heads` writes them; of the texts perhaps other heads."""
    LabelDocument((head(0, "colour", (True, True)), head(1, None, None)), (), {}, {}).write(run / "labels.json")
    texts = [{"text": "a red ball", "explained_variance": 0.5}, {"text": "a blue sky", "explained_variance": 0.25}]
    entries = [{"layer": 11, "head": number, "texts": texts} for number in range(heads)]
    (run / "heads.json").write_text(json.dumps({"schema_version": 1, "heads": entries}), encoding="utf-8")


def test_page_shows_the_heads_of_runs_that_are_described(tmp_path: Path) -> None:
    described, fresh = (Run(tmp_path / name, name, results(), {}) for name in ("a", "b"))
    described.folder.mkdir()
    describe(described.folder)
    shown = present_heads([described, fresh])
    assert [table.title for table in shown.tables] == ["Heads of each model"]
    assert [table.title for table in shown.details] == ["Heads of a, layer after layer", "Metrics of the heads of a"]
    assert "| 11 | 0 | colour | 2 | 75% | a red ball; a blue sky |" in to_markdown(shown.details[0])


def change_texts(run: Path) -> None:
    (run / "heads.json").write_text('{"heads": [{"layer": "eleven", "head": 0, "texts": []}]}', encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change_texts, r"heads\[0\].layer to be an integer, found a string"),
        (lambda run: describe(run, heads=3), "of the same heads, found others"),
    ],
)
def test_page_of_damaged_heads_is_refused(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    describe(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        present_heads([Run(tmp_path, "a", results(), {})])
