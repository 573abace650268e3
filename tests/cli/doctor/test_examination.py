from __future__ import annotations

from pathlib import Path

import pytest
from rich.filesize import decimal
from toy_data import CONFIGS

from mkbench.cli.doctor.examination import examine
from mkbench.cli.doctor.resources import FIGURE_BYTES, ROW_BYTES


@pytest.mark.parametrize(("stored_as", "size"), [("fp32", 4), ("fp16", 2)])
def test_contributions_of_heads_are_part_of_what_a_run_writes(
    tiny_model: Path, tmp_path: Path, stored_as: str, size: int
) -> None:
    """Of each of 2 x 32 images: two heads of both layers, both MLPs and four more terms, each 32 wide."""
    words = [
        f"--model.backbone=local-dir:{tiny_model}",
        f"--model.stored_as={stored_as}",
        "--data.images_per_class=2",
        f"--results.root={tmp_path}",
    ]
    findings = examine(CONFIGS / "critters" / "heads.yaml", words, fast=True)
    needed = 64 * (ROW_BYTES + 10 * 32 * size) + FIGURE_BYTES
    assert any(f"results take about {decimal(needed)} at {tmp_path}" in finding.sentence for finding in findings)
