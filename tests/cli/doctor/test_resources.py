from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mkbench.cli.doctor import resources
from mkbench.cli.doctor.measurement import Measurement
from mkbench.cli.doctor.resources import (
    FIGURE_BYTES,
    ROW_BYTES,
    RunSize,
    check_disk,
    check_memory,
    check_time,
    check_trainer,
    disk_bytes,
    run_seconds,
)

from .conftest import said, states

MEASURED = Measurement(4, 64 * 64, 0.4, 0.01, 3_000, peak_bytes=10**9, held_bytes=10**7)
GB = 10**9


def trainer(devices: int = 1, precision: str = "32-true") -> Any:
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    return SimpleNamespace(world_size=devices, precision=precision, strategy=strategy)


def test_devices() -> None:
    assert list(check_trainer(trainer(2), 3)) == [("ok", "2 devices (cpu) for 3 class groups")]
    assert "3 devices would have nothing to do" in said(check_trainer(trainer(5), 2), "warning")


def test_precision_of_the_trainer() -> None:
    problems = said(check_trainer(trainer(precision="16-mixed"), 3), "problem")
    assert "--trainer.precision is 16-mixed, but the analysis needs 32-true" in problems


def test_time_of_a_run() -> None:
    # 50,000 images of 0.4 s on 4 devices, and 10,000 texts of 0.01 s on each of them.
    size = RunSize(images=50_000, texts=10_000, devices=4, num_workers=2, read_seconds=0.1)
    assert run_seconds(MEASURED, size) == pytest.approx(5_000 + 100)
    (remark,) = check_time(MEASURED, size)
    assert remark.state == "ok"
    assert remark.sentence.startswith("about 1 h 25 min for 50,000 images on 4 devices: 0.4 s an image")
    assert "(measured on 4) and about 1 min 40 s for 10,000 texts" in remark.sentence


def test_reading_that_cannot_keep_up() -> None:
    # Two processes give an image every 0.5 s, which is slower than 0.4 s.
    size = RunSize(images=100, texts=0, devices=1, num_workers=2, read_seconds=1.0)
    assert run_seconds(MEASURED, size) == pytest.approx(50)
    assert "reading an image takes 1 s, so that --data.num_workers 2 cannot keep up" in said(
        check_time(MEASURED, size), "warning"
    )


def test_reading_in_the_process_of_the_model_takes_its_time() -> None:
    size = RunSize(images=100, texts=0, devices=1, num_workers=0, read_seconds=1.0)
    assert run_seconds(MEASURED, size) == pytest.approx(140)
    assert states(check_time(MEASURED, size)) == ["ok"]


def test_memory() -> None:
    assert said(check_memory(MEASURED, 4, 2 * GB), "ok") == (
        "the largest class group (4 images) needs about 1.0 GB of memory, there are 2.0 GB"
    )
    # Of 4 GB, 1 GB was seen and 0.98 GB is for a full chunk; the rest holds 201 images beside the 4.
    problems = said(check_memory(MEASURED, 1300, 4 * GB), "problem")
    assert "there are only 4.0 GB; split classes with --data.group_size 205 or less" in problems
    assert states(check_memory(MEASURED, 4, None)) == ["warning"]


def test_disk_that_a_run_takes() -> None:
    assert disk_bytes([MEASURED, None], images=100, figures=9) == 100 * (3_000 + ROW_BYTES) + 2 * 9 * FIGURE_BYTES


def test_disk_that_is_kept_beside_the_rows() -> None:
    more = disk_bytes([None, None], images=50, figures=0, kept=[0, 1_000]) - disk_bytes(
        [None, None], images=50, figures=0
    )
    assert more == 50_000


def test_disk_that_is_too_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=5_000_000)

    monkeypatch.setattr(resources.shutil, "disk_usage", usage)
    root = tmp_path / "runs" / "deep"
    assert states(check_disk(root, 4_000_000)) == ["ok"]
    (remark,) = check_disk(root, 6_000_000)
    assert remark.state == "problem"
    assert remark.sentence.startswith("results take about 6.0 MB at ")
    assert "where only 5.0 MB are free; free some, or name another --results.root" in remark.sentence
    assert asked == [tmp_path, tmp_path]  # the folder need not exist, and is not made
    assert not root.exists()


def test_folder_of_results_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    (remark,) = check_disk(tmp_path / "runs" / "deep", 1)
    assert remark.state == "problem"
    assert "results cannot be written to" in remark.sentence


def test_folder_of_results_without_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources.os, "access", lambda path, mode: mode != os.W_OK)
    assert states(check_disk(tmp_path, 1)) == ["problem"]
