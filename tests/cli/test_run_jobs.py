from __future__ import annotations

import pytest
from toy_data import CONFIGS

from mkbench.cli.run_jobs import starts_processes

PROTOCOL = CONFIGS / "critters" / "mutual_knowledge.yaml"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], False),
        (["--data.limit_classes=2"], False),
        (["--trainer.devices", "2"], True),
        (["--trainer.devices=8", "--data.limit_classes=2"], True),
        (["--trainer.devices=2", "--trainer.devices=1"], False),
    ],
)
def test_several_devices_mean_several_processes(
    words: list[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert starts_processes(PROTOCOL, words) is expected
    monkeypatch.setenv("WORLD_SIZE", "2")  # torchrun has started them already
    assert not starts_processes(PROTOCOL, words)
