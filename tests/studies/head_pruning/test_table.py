from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from rich.console import Console

from mkbench.heads import PruningEffect, RandomSets
from mkbench.studies.head_pruning.study import score_effect
from mkbench.studies.head_pruning.table import show_pruning


def example(seeds: int) -> dict[str, Any]:
    """Four images: all right with all heads, two without the set, none or all without random ones."""
    random = torch.tensor([[place % 2 == 1] * 4 for place in range(seeds)])
    effect = PruningEffect(
        torch.tensor([True] * 4), torch.tensor([True] * 2 + [False] * 2), random, RandomSets((), True)
    )
    one: dict[str, Any] = {
        "name": "low",
        "description": "a CCS of 1 or less",
        "heads": [[3, 1], [4, 0]],
        "random_heads": "any",
        "random_sets": [[]] * seeds,
        "scores": score_effect(effect),
    }
    return {
        "images": 4,
        "all_heads": one["scores"]["all_heads"],
        "sets": [one],
        "notes": ["No head has a CCS of 5; that set is left out."],
    }


def printed(document: dict[str, Any], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(show_pruning(document, width=width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_for_each_set_and_what_it_means() -> None:
    lines = printed(example(2), 140)
    assert lines[0] == "zero-shot top-1, % of 4 images; with all heads \u2191 100.0 [51.0, 100.0]"
    (row,) = (" ".join(line.split()) for line in lines if line.strip().startswith("a CCS of 1 or less "))
    assert row.startswith("a CCS of 1 or less 2 50.0 [15.0, 85.0] -50.0 [-100.0, 0.0] 50.0 (0.0 to 100.0)")
    assert row.endswith(" 0.0 [-50.0, 50.0]")
    text = " ".join(lines)
    for words in (
        "a CCS of 1 or less: 3.1, 4.0",
        "No head has a CCS of 5; that set is left out.",
        "the total effect; `mkbench heads remove` has the direct one",
        "as many heads (these among them) of the same layers",
        "against random: below 0, more is lost",
    ):
        assert words in text


@pytest.mark.parametrize("seeds", [1, 2])
def test_narrow_terminals(seeds: int) -> None:
    lines = printed(example(seeds), 80)
    assert max(map(len, lines)) <= 80
    assert any("to 100.0)" in line for line in lines) == (seeds > 1)
    assert any("[-100.0, 0.0]" in line for line in lines)
