"""Runs that are killed and go on, with one process and with several: what the result writer promises as a whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from toy_data import CONFIGS

from mkbench.backbones.known_models import BUNDLED, model_entries
from mkbench.runs.ownership import LOCK
from mkbench.runs.run_folder import RESULTS

#: Over the environment at the time, whose cache is the tests' own.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
#: Five groups, a prime number, so that two devices never have the same share.
GROUPS = 5
DDP = ("--trainer.devices=2", "--trainer.strategy=ddp")
SMALL = (
    "--model.refine=components",
    "--data.images_per_class=2",
    f"--data.limit_classes={GROUPS}",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--progress.enabled=false",
    "--figures.samples=0",
)
BENCH = ("-m", "mkbench", "bench", f"--config={CONFIGS / 'critters' / 'demo.yaml'}", *SMALL)
MODELS = sorted(entry.name for entry in model_entries() if entry.pretrained == BUNDLED)


def start(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start Python in a process group of its own, so that all that it starts can be killed with it."""
    with (folder / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=os.environ | ENVIRONMENT,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def finish(words: Sequence[str], folder: Path) -> None:
    process = start(words, folder)
    assert process.wait(timeout=600) == 0, (folder / "said.txt").read_text()


def written(run: Path) -> list[str]:
    """Keys of the groups in the logs of all models below a folder, in the order of writing within a model."""
    lines = [line for log in sorted(run.rglob("groups.log")) for line in log.read_text().splitlines()]
    return [line.split("  ")[1] for line in lines]


def kill_after(groups: int, delay: float, words: Sequence[str], folder: Path) -> None:
    """Start, wait until so many groups are written and a little longer, and kill all processes without a warning."""
    process = start(words, folder)
    while len(written(folder)) < groups:
        assert process.poll() is None, (folder / "said.txt").read_text()
        time.sleep(0.01)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def contents(folder: Path, names: Sequence[str]) -> list[bytes]:
    return [(folder / name / RESULTS).read_bytes() for name in names]


@pytest.mark.slow
def test_bench_killed_three_times_ends_as_if_it_never_was(tmp_path: Path) -> None:
    draw = random.Random()  # any moment must do
    finish([*BENCH, "--out=whole"], tmp_path)
    for attempt in range(3):
        moment, delay = draw.randrange(attempt * 6 + 1, attempt * 6 + 7), draw.random() / 2
        print(f"killed {delay:.3f} s after group {moment}")  # shown if the test fails
        (tmp_path / "killed").mkdir(exist_ok=True)
        kill_after(moment, delay, [*BENCH, "--out=runs"], tmp_path / "killed")
    finish([*BENCH, "--out=runs"], tmp_path / "killed")
    runs = tmp_path / "killed" / "runs"
    assert contents(runs, MODELS) == contents(tmp_path / "whole", MODELS)
    for model in MODELS:
        keys = written(runs / model)
        assert len(keys) == len(set(keys)), f"{model} did a group twice"
        # A kill may fall between a group's file and its line in the log.
        assert len(keys) >= GROUPS - 3
    assert (runs / "table.csv").is_file()


def predict(tiny_model: Path, *options: str) -> list[str]:
    config = CONFIGS / "critters" / "mutual_knowledge.yaml"
    return ["predict", f"--config={config}", f"--model.backbone=local-dir:{tiny_model}", *SMALL, *options]


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process that nothing disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    finish(["-m", "mkbench", *predict(tiny_model)], folder)
    return folder / "runs" / "critters" / "tiny"


def assert_same(run: Path, alone: Path, *, kills: int = 0) -> None:
    for name in (RESULTS, "manifest.json", *(f"groups/{path.name}" for path in (alone / "groups").iterdir())):
        assert (run / name).read_bytes() == (alone / name).read_bytes(), name
    keys = written(run)
    assert len(keys) == len(set(keys))
    assert len(keys) >= GROUPS - kills
    assert not [path for path in run.rglob(".*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "launch",
    [
        pytest.param(["-m", "mkbench"], id="lightning starts the processes"),
        pytest.param(
            ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "mkbench"], id="torchrun"
        ),
    ],
)
def test_two_processes_write_what_one_writes(launch: list[str], tiny_model: Path, alone: Path, tmp_path: Path) -> None:
    finish([*launch, *predict(tiny_model, *DDP)], tmp_path)
    run = tmp_path / "runs" / "critters" / "tiny"
    assert_same(run, alone)
    assert len(written(run)) == GROUPS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(DDP, (), id="two, then one"), pytest.param((), DDP, id="one, then two")]
)
def test_killed_run_goes_on_with_another_number_of_processes(
    before: Sequence[str], after: Sequence[str], tiny_model: Path, alone: Path, tmp_path: Path
) -> None:
    kill_after(1, 0.0, ["-m", "mkbench", *predict(tiny_model, *before)], tmp_path)
    run = tmp_path / "runs" / "critters" / "tiny"
    assert not (run / RESULTS).exists()
    finish(["-m", "mkbench", *predict(tiny_model, *after)], tmp_path)
    assert_same(run, alone, kills=1)


@pytest.mark.slow
def test_process_without_work_does_not_hold_up_the_other(tiny_model: Path, alone: Path, tmp_path: Path) -> None:
    finish(["-m", "mkbench", *predict(tiny_model)], tmp_path)
    run = tmp_path / "runs" / "critters" / "tiny"
    (run / RESULTS).unlink()
    (run / "groups" / "00001-000.parquet").unlink()
    (run / "groups.log").unlink()
    finish(["-m", "mkbench", *predict(tiny_model, *DDP)], tmp_path)
    assert (run / RESULTS).read_bytes() == (alone / RESULTS).read_bytes()
    assert written(run) == ["00001-000"]


def test_two_runs_at_once_never_mix(tiny_model: Path, alone: Path, tmp_path: Path) -> None:
    words = ["-m", "mkbench", *predict(tiny_model)]
    for number in range(2):
        (tmp_path / str(number)).mkdir()
    root = f"--results.root={tmp_path / 'runs'}"
    started = [start([*words, root], tmp_path / str(number)) for number in range(2)]
    codes = [process.wait(timeout=600) for process in started]
    said = [(tmp_path / str(number) / "said.txt").read_text() for number in range(2)]
    if codes != [0, 0]:  # where one came late, it found a finished run
        assert sorted(codes) == [0, 2]
        assert f"found that process {started[codes.index(0)].pid} on" in said[codes.index(2)]
    assert_same(tmp_path / "runs" / "tiny", alone)


def test_run_of_a_killed_process_is_taken_over(tiny_model: Path, alone: Path, tmp_path: Path) -> None:
    words = ["-m", "mkbench", *predict(tiny_model)]
    kill_after(2, 0.0, words, tmp_path)
    run = tmp_path / "runs" / "critters" / "tiny"
    assert (run / LOCK).exists()
    finish(words, tmp_path)
    assert_same(run, alone, kills=1)
    assert not (run / LOCK).exists()
