from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mkbench.concepts import cluster_groups
from mkbench.datamodules import Critters
from mkbench.datamodules.critters_world import load_world
from mkbench.errors import UsageError
from mkbench.metrics.functional import grouped_curves
from mkbench.systems import MutualKnowledge
from mkbench.systems.concept_groups import choose_groups, describe_groups

BANK = Critters().bank
EMBEDDINGS = torch.randn(len(BANK), 8, generator=torch.Generator().manual_seed(0))


def test_facts_of_critters_are_known() -> None:
    found = choose_groups("auto", BANK, EMBEDDINGS)
    assert found is not None
    assert int(found.max()) + 1 == 108  # facts in 247 descriptors
    entries = load_world().descriptors
    same = found[:, None] == found
    expected = torch.tensor([[a.requires == b.requires for a in entries] for b in entries])
    assert torch.equal(same, expected)


def test_choices(tmp_path: Path) -> None:
    assert choose_groups("none", BANK, EMBEDDINGS) is None
    assert choose_groups("auto", replace(BANK, groups=None), EMBEDDINGS) is None
    clustered = choose_groups(0.4, BANK, EMBEDDINGS)
    assert clustered is not None
    assert torch.equal(clustered, cluster_groups(EMBEDDINGS, 0.4))
    file = tmp_path / "groups.json"
    file.write_text(f'{{"one": ["{BANK.descriptors[0]}", "{BANK.descriptors[2]}"]}}')
    read = choose_groups(file, BANK, EMBEDDINGS)
    assert read is not None
    assert read[:3].tolist() == [0, 1, 0]
    assert len(str(describe_groups(file))) == 64
    with pytest.raises(UsageError, match=r"a cosine in -1\.\.1, found 95"):
        choose_groups(95, BANK, EMBEDDINGS)
    with pytest.raises(UsageError, match="no readable file"):
        describe_groups(tmp_path / "none")


@pytest.mark.parametrize("choice", ["auto", "none", 0.8])
def test_column_holds_the_grouped_curve(tiny_model: Path, choice: Any) -> None:
    data = Critters(images_per_class=3, limit_classes=1, num_workers=0)
    options: dict[str, Any] = {"num_language_concepts": 12, "pool": 62, "refine": "components"}
    system = MutualKnowledge(f"local-dir:{tiny_model}", concept_groups=choice, **options)
    system.prepare(data)
    assert system.settings()["concept_groups"] == choice
    group = data.dataset(system.geometry, data.specs)[0]
    result = system.explain_group(group)
    rows = system.record(group, result, data.class_names).rows
    assert ("grouped_curve" in rows.column_names) == (choice != "none")
    if system.groups is None:
        return
    vision = result.explained["pca"].explanation.vision
    curves, counts = grouped_curves(
        vision.ids, vision.counts, system.knowledge.member, result.conditioning, system.groups
    )
    written = rows["grouped_curve"].to_pylist()[:3]
    assert written == [row[: n + 1] for row, n in zip(curves.tolist(), counts.tolist(), strict=True)]
