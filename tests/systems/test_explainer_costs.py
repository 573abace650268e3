from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_classes import ColourBackbone

from mkbench.concepts import PartsExplainer, RandomParts, WholeImage
from mkbench.datamodules import Critters
from mkbench.systems import MutualKnowledge
from mkbench.systems.explainer_costs import ExplainerCosts
from mkbench.systems.timing import StageClock

IMAGES = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)


def test_what_an_explainer_asks_of_another_is_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 4.0, 10.0])  # outer starts, inner starts and ends, outer ends
    monkeypatch.setattr(StageClock, "now", lambda _: next(times))
    backbone = ColourBackbone()
    costs = ExplainerCosts(backbone)
    with costs.measure("outer", images=2):
        backbone.encode_image(IMAGES[:1])
        with costs.measure("inner", images=2):
            backbone.encode_image(IMAGES)
    assert costs.describe() == {
        "explainer_costs": {"inner": {"forwards": 2.0, "ms": 1500.0}, "outer": {"forwards": 0.5, "ms": 3500.0}}
    }


def test_nothing_is_said_of_what_was_not_measured() -> None:
    costs = ExplainerCosts(ColourBackbone())
    with pytest.raises(ZeroDivisionError), costs.measure("refused", images=2):
        _ = 1 / 0
    assert costs.describe() == {}
    with costs.measure("pca", images=2):  # one that failed leaves the others right
        pass
    assert list(costs.describe()["explainer_costs"]) == ["pca"]


def test_forwards_of_a_run_are_the_calls_of_its_encoder(tiny_model: Path) -> None:
    data = Critters(images_per_class=3, limit_classes=1, num_workers=0)
    # The control comes first, and asks for the parts that it is compared with.
    explainers: list[Any] = [WholeImage(), RandomParts(of="pca"), PartsExplainer("pca")]
    system = MutualKnowledge(
        f"local-dir:{tiny_model}", explainers=explainers, num_language_concepts=12, pool=62, refine="components"
    )
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    seen: list[int] = []
    system.backbone.model.visual.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))  # type: ignore[operator, union-attr]
    result = system.explain_group(data.dataset(system.geometry, data.specs)[0])
    costs = system.describe_costs()["explainer_costs"]
    prompted = {name: 3 * int(one.explanation.present.sum()) / 3 for name, one in result.explained.items()}
    assert costs["whole-image"]["forwards"] == 0
    assert costs["pca"]["forwards"] == pytest.approx(prompted["pca"], abs=1e-3)  # a ring, a grey and a blurred image
    assert costs["random"]["forwards"] == pytest.approx(prompted["random"], abs=1e-3)
    assert sum(seen) == pytest.approx(3 * (1 + sum(cost["forwards"] for cost in costs.values())), abs=0.01)
