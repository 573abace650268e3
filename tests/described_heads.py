"""Run folders of invented runs of attention heads that are described."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report_runs import write_figure
from result_documents import results

from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, Source
from mkbench.runs.finished_runs import Run


def head_run(
    folder: Path, *, layers: Sequence[int] = (11,), heads: int = 2, num_texts: int = 2, text: str = "a text"
) -> Run:
    """A run whose heads all have the label "colour", and texts of which the first alone fits."""
    folder.mkdir(parents=True, exist_ok=True)
    places, source = [(layer, head) for layer in layers for head in range(heads)], Source("hand")
    texts = tuple(f"{text} {number}" for number in range(num_texts))
    fits = tuple(number == 0 for number in range(min(num_texts, 5)))
    LabelDocument(
        tuple(
            LabelledHead(HeadTexts(*place, texts[:5]), HeadLabel("colour", source), Judgement(fits, source))
            for place in places
        ),
        (),
        {},
        {},
    ).write(folder / "labels.json")
    shares = [{"text": one, "explained_variance": 0.5 / num_texts} for one in texts]
    entries = [{"layer": layer, "head": head, "texts": shares} for layer, head in places]
    (folder / "heads.json").write_text(json.dumps({"schema_version": 1, "heads": entries}), encoding="utf-8")
    return Run(folder, folder.name, results() | {"system": "head_decomposition"}, {})


def ask_head(run: Run, name: str = "text-neighbors_11-0_a-night-sky", **question: Any) -> Path:
    """An answer of a head beside its figure, as `mkbench heads text-neighbors` writes it."""
    question = {"head": [11, 0], "text": "a night sky"} | question
    figure = write_figure(run.folder, f"{name}.png", size=(1439, 700))
    (run.folder / "analyses").mkdir(exist_ok=True)
    figure.rename(run.folder / "analyses" / figure.name)
    path = run.folder / "analyses" / f"{name}.json"
    path.write_text(json.dumps({"schema_version": 1, "question": question}), encoding="utf-8")
    return path
