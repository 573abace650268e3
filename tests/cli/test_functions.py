from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_data import CONFIGS

import mkbench
from mkbench.errors import MkbenchError, UsageError

OPTIONS: dict[str, Any] = {
    "model.refine": "components",
    "data.images_per_class": 2,
    "data.limit_classes": 2,
    "data.num_workers": 0,
    "trainer.accelerator": "cpu",
    "progress.enabled": False,
    "figures.samples": 0,
}


def test_predict_returns_the_run(tiny_model: Path, tmp_path: Path) -> None:
    model = {"model.backbone": f"local-dir:{tiny_model}"}
    run = mkbench.predict("configs/critters/mutual_knowledge.yaml", OPTIONS | model, out=tmp_path)
    assert run.folder == tmp_path / "tiny"
    assert run.results["data"]["images"] == 4
    smoke = {"trainer.fast_dev_run": True}
    with pytest.raises(UsageError, match="found a smoke test"):
        mkbench.predict("configs/critters/mutual_knowledge.yaml", OPTIONS | model | smoke, out=tmp_path)


def test_bench_returns_runs_in_order_or_raises(tiny_model: Path, tmp_path: Path) -> None:
    named = [{"name": name, "backbone": f"local-dir:{tiny_model}"} for name in ("second", "first")]
    config = tmp_path / "bench.yaml"
    protocol = str(CONFIGS / "critters" / "mutual_knowledge.yaml")
    config.write_text(yaml.safe_dump({"protocol": protocol, "models": named}))
    runs = mkbench.bench(config, OPTIONS, out=tmp_path / "runs")
    assert [(run.label, run.folder.name) for run in runs] == [("second", "second"), ("first", "first")]
    config.write_text(yaml.safe_dump({"protocol": protocol, "models": ["local-dir:nowhere"]}))
    with pytest.raises(MkbenchError, match="local-dir:nowhere failed: Expected a model folder"):
        mkbench.bench(config, OPTIONS, out=tmp_path / "runs")
