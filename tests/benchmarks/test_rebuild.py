from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rebuild import measure, measure_alone, write_run
from mkbench.runs.group_files import finished_groups, read_columns


def test_a_run_of_as_many_rows_as_asked_for_is_rebuilt(tmp_path: Path) -> None:
    assert write_run(tmp_path, 150) == 200  # whole groups of 50 images and two explainers
    assert finished_groups(tmp_path) == ["00000-000", "00001-000"]
    assert len(read_columns(tmp_path, ["curve"])) == 200
    result = measure(tmp_path)
    assert (result["groups"], result["images"]) == (2, 100)
    assert float(str(result["peak_memory_mb"])) > 100  # of the process, whatever ran in it before


@pytest.mark.slow
def test_rebuilding_100_000_rows_stays_below_1500_mb(tmp_path: Path) -> None:
    assert write_run(tmp_path, 100_000) == 100_000
    result = measure_alone(tmp_path)
    assert (result["groups"], result["images"]) == (1000, 50_000)
    assert float(str(result["peak_memory_mb"])) < 1500
