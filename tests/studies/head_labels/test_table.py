from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, Source
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.runs.finished_runs import Run
from mkbench.studies.head_labels.study import HeadReport, TextShare
from mkbench.studies.head_labels.table import show_report
from mkbench.studies.head_labels.write import write_heads


def printed(content: RenderableType) -> list[str]:
    out = StringIO()
    Console(file=out, width=200).print(content)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def metric(name: str, value: float, interval: list[float] | None = None, n: int = 2) -> dict[str, Any]:
    return {"name": name, "explainer": None, "value": value, "interval": interval, "n": n}


def results(*metrics: dict[str, Any], separates: bool = True) -> dict[str, Any]:
    return {
        "model": {"name": "vit", "label": "ViT", "random_weights": False},
        "data": {"images": 1234},
        "settings": {},
        "metrics": [metric("top1", 0.5, [0.4, 0.6], n=1234), *metrics],
        "controls": [{"metric": "association", "separates": separates}],
    }


def head(number: int, label: str | None, fits: tuple[bool, ...] | None) -> LabelledHead:
    source = Source("hand")
    texts = HeadTexts(11, number, ("a red ball", "a blue sky"))
    return LabelledHead(texts, HeadLabel(label, source, None if label else "no label"), Judgement(fits, source))


def texts(share: float) -> tuple[TextShare, ...]:
    return ({"text": "a red ball", "explained_variance": share},)


@pytest.mark.parametrize("separates", [True, False])
def test_report_shows_heads_metrics_and_chance(separates: bool) -> None:
    document = LabelDocument((head(0, "colour", (True, True)), head(1, None, None)), (), {}, {})
    of_heads = [metric("association", 0.5, [0.0, 1.0]), metric("association_shuffled", 0.25, [0.0, 0.5])]
    lines = printed(
        show_report(HeadReport(results(*of_heads, separates=separates), document, (texts(0.875), texts(0.25))))
    )
    assert lines[0] == "Heads of ViT"
    assert "11 0 colour 2 88% a red ball; a blue sky" in lines
    assert "11 1 – – 25% a red ball; a blue sky" in lines
    assert "top1 0.500 [0.400, 0.600] 1234" in lines
    mark = " ✔" if separates else ""
    assert f"association 0.500 [0.000, 1.000] 0.250 [0.000, 0.500]{mark} 2" in lines
    assert not any(line.startswith("association_shuffled") for line in lines)


def test_notes_of_one_run_explain_its_rows_by_their_names() -> None:
    document = LabelDocument((head(0, "colour", (True, True)),), (), {}, {})
    of_heads = [metric("top1_mean_ablated", 0.5), metric("concept_consistency", 0.25)]
    lines = printed(show_report(HeadReport(results(*of_heads), document, (texts(0.875),))))
    text = " ".join(lines)
    for name in ("top1_mean_ablated", "concept_consistency"):
        assert any(line.startswith(f"{name} 0.") for line in lines)
        assert f"{name}: {CATALOGUE[name].meaning}." in text
    for other in ("top1_reconstructed", "heads alone", "CCS: "):  # of rows that are not there, or of another table
        assert other not in text


def test_runs_stand_side_by_side_with_what_is_missing(tmp_path: Path) -> None:
    described = results(metric("entanglement", 0.25, [0.0, 0.5], n=48), metric("concept_consistency", 2.5))
    fresh = results()
    fresh["model"] = {"name": "b", "label": "Other", "random_weights": True}
    runs = [Run(Path("a"), "ViT", described, {}), Run(Path("b"), "Other", fresh, {})]
    lines = printed(write_heads(runs, tmp_path, width=200))
    assert "ViT 1234 48 50.0 [40.0, 60.0] – – 0.250 [0.000, 0.500] – 2.50" in lines
    assert "Other (random weights) 1234 – 50.0 [40.0, 60.0] – – – – –" in lines
    assert any(line.startswith("Not described yet: Other; `mkbench heads` does it.") for line in lines)
    below = printed(write_heads(runs, tmp_path, width=125))
    assert "ViT 1234 48 50.0 – – 0.250 – 2.50" in below
    assert "[40.0, 60.0] [0.000, 0.500]" in below
    narrow = printed(write_heads(runs, tmp_path, width=80))
    assert "ViT 1234 48 50.0 – – 0.250 – 2.50" in narrow
    assert not any("[40.0" in line for line in narrow)
    assert (tmp_path / "heads.md").read_text(encoding="utf-8").startswith("| model | images | heads | top-1 % ↑ |")
    rows = list(csv.DictReader((tmp_path / "heads.csv").read_text(encoding="utf-8").splitlines()))
    assert (rows[0]["entanglement"], rows[0]["entanglement_high"], rows[1]["entanglement"]) == ("0.25", "0.5", "")
