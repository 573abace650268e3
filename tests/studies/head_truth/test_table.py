from __future__ import annotations

import io
from typing import Any

import torch
from rich.console import Console

from mkbench.heads.head_factors import PairMoves, score_maps_of_parts
from mkbench.heads.part_maps import PartMapScores
from mkbench.studies.head_truth.study import describe_truth
from mkbench.studies.head_truth.table import labels_table, show_truth


def example() -> dict[str, Any]:
    """Three heads: one writes tails, one legs, and one is moved by nothing."""
    energies = torch.zeros(8, 2, 3, dtype=torch.float64)
    energies[:, 0, 0], energies[:, 1, 0] = 3.0, 1.0
    energies[:, 1, 1] = 1.0
    moves = PairMoves(energies, energies, energies.sum(dim=2) + 1, torch.arange(8))
    document = describe_truth(moves, ("tail", "legs"), {(3, 0): "tail", (3, 1): "tail"}, layers=(3,), num_heads=3)
    own = torch.full((8, 1), 0.5, dtype=torch.float64)
    maps = score_maps_of_parts(PartMapScores(own, own / 2, own), torch.arange(8), ["tail"])
    return {**document, "parts": maps}


def printed(document: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(show_truth(document, width=160))
    return out.getvalue()


def row(text: str, start: str) -> list[str]:
    """The words of the first line that begins so."""
    return next(line.split() for line in text.splitlines() if line.split()[: len(start.split())] == start.split())


def test_heads_labels_and_parts() -> None:
    text = printed(example())
    assert "Factors that heads write, over 8 images with each of 2 things changed" in text
    assert row(text, "3 0")[2:8] == ["tail", "tail", "✔", "0.75", "[0.75,", "0.75]"]
    assert row(text, "3 1")[2:5] == ["tail", "legs", "1.00"]  # another factor than its label names
    assert row(text, "3 2")[2:5] == ["–", "–", "–"]  # neither label nor change
    assert "Labels of the 2 of 3 heads" in text
    assert row(text, "all 8")[2:6] == ["0.500", "[0.500,", "0.500]", "0.250"]
    assert "+0.250 ✔" in text  # over the other parts' maps
    assert "+0.000 ✔" not in text  # over attention


def test_without_a_label_of_what_is_changed() -> None:
    document = example() | {"labels": {"most": None, "specific": None}, "routes": None}
    assert labels_table(document).rows == []
    assert "Labels of the 0 of 3 heads" in printed(document)
