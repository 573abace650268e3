from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("captum")

from benchmarks.explainer_costs import main, make_explainers, measure
from mkbench.concepts import AttentionRollout, LeGrad, Occlusion, PartsExplainer, SaliencyParts, SpLiCE, WholeImage
from mkbench.systems import MutualKnowledge


def test_passes_of_the_tiny_model_by_hand(tiny_model: Path) -> None:
    explainers = [
        PartsExplainer("pca", pool=62),
        SaliencyParts(LeGrad(), pool=62),
        SaliencyParts(Occlusion(), pool=62),
        SpLiCE(),
        WholeImage(),
    ]
    system = MutualKnowledge(f"local-dir:{tiny_model}", refine="none", explainers=explainers)
    rows = {row["explainer"]: row for row in measure(system, 2, 1)}
    assert list(rows) == ["pca", "legrad", "occlusion", "splice", "whole-image"]
    passes = {name: (row["forwards"], row["backwards"]) for name, row in rows.items()}
    assert passes["splice"] == passes["whole-image"] == (0, 0)
    assert passes["pca"][1] == passes["occlusion"][1] == 0
    assert passes["legrad"][1] == 1
    # A pass for every prompted part, in thirds of which the number of parts is; beside them 1, and 16 patches + 1.
    assert 2 * passes["pca"][0] % 3 == 0
    assert 2 * (passes["legrad"][0] - 1) % 3 == 0
    assert 2 * (passes["occlusion"][0] - 17) % 3 == 0
    assert all(row["ms_per_image"] > 0 for row in rows.values())


def test_a_model_that_does_not_support_an_explainer_says_why() -> None:
    explainers = [PartsExplainer("pca", pool=62), SaliencyParts(AttentionRollout(), pool=62)]
    system = MutualKnowledge("critters-rn", refine="none", explainers=explainers)
    rows = measure(system, 1, 0)
    assert "forwards" in rows[0]
    assert "class token and plain attention, found critters-rn" in str(rows[1]["refused"])


def test_all_untrained_explainers_are_printed(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explainer_costs", f"--model=local-dir:{tiny_model}", "--images=1", "--rounds=1", "--device=cpu"]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    main()
    names = [explainer.name for explainer in make_explainers()]
    assert [row["explainer"] for row in json.loads(capsys.readouterr().out)] == names
    monkeypatch.setattr(sys, "argv", words)
    main()
    assert "clip-surgery" in capsys.readouterr().out
