from __future__ import annotations

import io
from typing import Any

import torch
from rich.console import Console

from mkbench.studies.head_removal.scores import ALL, RANDOM, WITHOUT, HeadSets, ImageGroups, compare_sets
from mkbench.studies.head_removal.table import show_removal


def example(randoms: int) -> dict[str, Any]:
    """Two images a group; the second group has none right by all heads, both without head 3.1."""
    sets = HeadSets({ALL: ((),), WITHOUT: (((3, 1),),), RANDOM: (((3, 0),),) * randoms}, ((3, 0), (3, 1)))
    right = [[1, 1, 0, 0], [1, 1, 1, 1], *[[1, 0, 1, 0]] * randoms, [1, 0, 1, 0], [1, 1, 1, 1]]
    names = ("land on land", "land on water")
    groups = ImageGroups(names, (True, False), torch.tensor([0, 0, 1, 1]))
    compared = compare_sets(torch.tensor(right), groups, sets)
    return {
        "settings": {"label": "sea", "heads": [[3, 1]], "ablation": "mean", "random_heads": "any"},
        "groups": [{"name": name, "images": 2} for name in names],
        "classifiers": [{"name": "linear probe", **compared}],
    }


def printed(document: dict[str, Any], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(show_removal(document, width=width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_lines_of_the_table() -> None:
    lines = printed(example(2), 120)
    assert lines[0] == "Without the heads of sea: 3.1 (mean-ablation)"
    (worst,) = (line.split() for line in lines if line.strip().startswith("worst group"))
    assert " ".join(worst) == "worst group 0.0 [0.0, 0.0] 100.0 [100.0, 100.0] 100.0 [100.0, 100.0] 50.0 (50.0 to 50.0)"
    assert "as many heads (these among them) of the same layers" in " ".join(lines)
    assert any("land on water (2)" in line for line in lines)
    assert any("worst group fares best without 3.1 (100.0; found on these images" in line for line in lines)


def test_narrow_terminals_and_single_sets() -> None:
    document = example(1)
    document["settings"]["label"] = None
    lines = printed(document, 80)
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Without the heads: 3.1 (mean-ablation)"
    assert not any("to 50.0" in line for line in lines)
    start = next(place for place, line in enumerate(lines) if line.strip().startswith("worst group"))
    assert "[100.0, 100.0]" in lines[start + 1]
