"""Rows of the table of concept heads and concept_heads of a few classes, invented."""

from __future__ import annotations

import io
from typing import Any

import torch
from rich.console import Console, RenderableType

from mkbench.heads.concept_heads import ConceptHeads
from mkbench.runs.results import Estimate
from mkbench.studies.concept_heads.study import ClassConceptHeads

VALUES = {
    **{"top1": 50.0, "mutual_information": 3.0, "auc": 2.0, "chance": 0.5, "excess": 1.5},
    **{
        "entanglement": 0.25,
        "association": 0.5,
        "concept_consistency": 3.5,
        "ccs@5": 0.125,
        "carried": 0.75,
        "beaten": 0.875,
    },
}


def joint_row(model: str = "ViT", explainer: str = "pca", *, random: bool = False, **values: float | None) -> Any:
    """A row whose estimates have intervals of 0.05 on both sides; the ratio has none."""
    row: dict[str, Any] = {"model": model, "random_weights": random, "explainer": explainer, "estimator": "paper"}
    row["own"] = {}
    row |= {"images": 40, "head_images": 12, "concept_consistency_ratio": Estimate(0.5)}
    for key, value in (VALUES | values).items():
        row[key] = None if value is None else Estimate(value, (value - 0.05, value + 0.05))
    return row


def class_concept_heads(scores: list[list[float]], *, heads: int = 2, **changes: Any) -> ClassConceptHeads:
    """ConceptHeads of classes by the scores of their heads; the strongest concept of a head is that of its own
    number."""
    table = torch.tensor(scores, dtype=torch.float64).view(len(scores), -1, heads)
    strongest = torch.arange(table[0].numel()).expand(len(scores), -1).view(table.shape)
    best = table.flatten(1).amax(dim=1)
    layers = tuple(range(10, 10 + table.shape[1]))
    bank = [f"concept {number}" for number in range(table[0].numel())]
    names = tuple(f"class {number}" for number in range(len(scores)))
    found = {"model": "ViT", "explainer": "pca", "classes": names, "descriptors": bank, "layers": layers, "labels": {}}
    return ClassConceptHeads(**(found | changes), concept_heads=ConceptHeads(table, strongest, best, best - 1, best))


def printed(content: RenderableType, width: int = 200) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(content)
    return out.getvalue().splitlines()


def words(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]
