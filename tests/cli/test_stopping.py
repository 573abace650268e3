from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml
from toy_data import CONFIGS

from mkbench.cli.main import main
from mkbench.cli.stopping import (
    Terminated,
    raise_if_stopping,
    report_stop,
    stop_on_signals,
    stop_with,
    stoppable,
    take_devices,
    take_stop_signal,
)
from mkbench.errors import MkbenchWarning
from mkbench.systems import MutualKnowledge

STOPPED = "mkbench: stopped by SIGTERM; what is finished is kept, and the same command goes on from there.\n"
BY_USER = STOPPED.replace("SIGTERM", "SIGUSR1")
DDP = ("--trainer.devices=2", "--trainer.strategy=ddp")


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CONFIGS.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "mkbench", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stop_after_first_group(
    process: subprocess.Popen[str],
    run: Path,
    *,
    by: signal.Signals = signal.SIGTERM,
    group: bool = False,
    seconds: float = 10,
) -> str:
    """Send a signal, maybe to the process group, once a group is finished; return what was said within the grace."""
    end = time.monotonic() + 90
    while not list(run.glob("groups/[!.]*.parquet")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    if group:
        os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    _, said = process.communicate(timeout=seconds)
    return said


def are_gone(process: subprocess.Popen[str]) -> bool:
    """Whether all processes of its group end; torch gives a worker 5 seconds to see that its parent is gone."""
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_predict_stops_on_sigterm_and_goes_on(predict_words: list[str], tmp_path: Path) -> None:
    words = [*predict_words, "--data.limit_classes=12", "--data.images_per_class=4", "--data.num_workers=1"]
    process = start(words, tmp_path)
    assert stop_after_first_group(process, tmp_path / "runs" / "tiny") == STOPPED
    assert process.returncode == 143
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "tiny" / "groups").iterdir()}
    assert 0 < len(kept) < 12
    assert are_gone(process)
    again = start(words, tmp_path)
    again.communicate(timeout=90)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list((tmp_path / "runs" / "tiny" / "groups").iterdir())) == 12


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGUSR1], ids=["SIGTERM", "SIGUSR1"])
def test_signal_to_the_process_group_gives_one_sentence(
    predict_words: list[str], tmp_path: Path, by: signal.Signals
) -> None:
    words = [*predict_words, "--data.limit_classes=12", "--data.images_per_class=4", "--data.num_workers=2"]
    process = start([*words, "--stop-signal", "SIGUSR1"], tmp_path)
    said = stop_after_first_group(process, tmp_path / "runs" / "tiny", by=by, group=True)
    assert said == (STOPPED if by == signal.SIGTERM else BY_USER)
    assert process.returncode == 143
    assert are_gone(process)


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True], ids=["first process", "process group"])
def test_two_devices_stop_as_one_and_go_on(predict_words: list[str], tmp_path: Path, group: bool) -> None:
    words = [*predict_words, "--data.limit_classes=12", "--data.images_per_class=4", "--data.num_workers=1"]
    run = tmp_path / "runs" / "tiny"
    process = start([*words, *DDP], tmp_path)
    assert stop_after_first_group(process, run, group=group) == STOPPED
    assert process.returncode == 143
    assert are_gone(process)
    assert 0 < len(list((run / "groups").iterdir())) < 12
    again = start([*words, *DDP], tmp_path)
    again.communicate(timeout=180)
    assert again.returncode == 0
    assert main([*words, f"--results.root={tmp_path / 'whole'}"]) == 0
    assert (run / "results.json").read_bytes() == (tmp_path / "whole" / "tiny" / "results.json").read_bytes()


@pytest.mark.slow
def test_first_of_two_devices_is_not_killed_while_it_tidies_up(predict_words: list[str], tmp_path: Path) -> None:
    # Lightning looks every 5 seconds whether a process that it started has ended, and kills the first one if so.
    (tmp_path / "slow_exit.py").write_text("import atexit\nimport time\n\natexit.register(time.sleep, 6)\n")
    words = [*predict_words, *DDP, "--data.limit_classes=12", "--data.images_per_class=4", "--plugins=slow_exit.py"]
    process = start(words, tmp_path)
    assert stop_after_first_group(process, tmp_path / "runs" / "tiny", seconds=30) == STOPPED
    assert process.returncode == 143
    assert are_gone(process)


def test_processes_of_other_devices_are_taken_from_their_observer_and_ended() -> None:
    devices = [subprocess.Popen(["sleep", "60"])]
    (device,) = devices
    with stoppable():
        stop_with(devices)
        with pytest.raises(Terminated) as stop:
            signal.raise_signal(signal.SIGTERM)
        assert devices == []
        assert device.poll() is None  # it may still write what it has finished
        assert report_stop(stop.value) == 143
    assert device.wait(timeout=10) == -signal.SIGKILL


def test_outside_of_a_command_devices_are_left_to_their_observer() -> None:
    devices = [subprocess.Popen(["sleep", "60"])]
    stop_with(devices)
    take_devices()
    assert len(devices) == 1
    devices[0].kill()
    assert devices[0].wait(timeout=10) == -signal.SIGKILL


def test_another_signal_stops_where_it_is_named(
    command: Callable[..., Any], predict_words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = MutualKnowledge.explain_group

    def stop_at_second(self: MutualKnowledge, group: Any) -> Any:
        if group.class_index == 1:
            signal.raise_signal(signal.SIGUSR1)
        return original(self, group)

    with monkeypatch.context() as patch:
        patch.setattr(MutualKnowledge, "explain_group", stop_at_second)
        stopped = command("--stop-signal", "SIGUSR1", *predict_words)
    assert (stopped.code, stopped.error) == (143, BY_USER)
    assert [path.stem for path in (stopped.run / "groups").iterdir()] == ["00000-000"]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert command(*predict_words).code == 0


@pytest.mark.parametrize("words", [["predict"], ["bench", "--config=bench.yaml", "--out=runs"]])
def test_stop_that_became_another_error_is_a_stop(
    command: Callable[..., Any],
    predict_words: list[str],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    def fail(*_: Any) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Terminated:
            warnings.warn("Expected a file, found a damaged one.", MkbenchWarning, stacklevel=1)
        raise TypeError("could not determine the shape of object type 'torch.storage.UntypedStorage'")

    content = {"protocol": str(CONFIGS / "critters" / "mutual_knowledge.yaml"), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(MutualKnowledge, "explain_group", fail)
    options = (
        predict_words[1:] if words == ["predict"] else [word for word in predict_words[3:] if "results" not in word]
    )
    stopped = command(*words, *options)
    assert (stopped.code, stopped.error) == (143, STOPPED)


@pytest.mark.parametrize("words", [["--stop-signal=SIGKILL"], ["--stop-signal"]])
def test_signals_that_are_not_free_are_refused(command: Callable[..., Any], words: list[str]) -> None:
    refused = command("predict", *words)
    assert (refused.code, refused.error.count("\n")) == (2, 1)
    assert "Expected a signal after --stop-signal that is free for it, found" in refused.error
    assert "SIGUSR1, SIGUSR2" in refused.error


def test_children_that_end_after_sigterm_are_no_fault() -> None:
    def fail(signum: int, frame: FrameType | None) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated. ")

    before = signal.signal(signal.SIGCHLD, fail)
    try:
        with stoppable():
            with pytest.raises(Terminated):
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGCHLD)
        with pytest.raises(RuntimeError):  # watched again
            signal.raise_signal(signal.SIGCHLD)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(
    ("more", "by"),
    [
        pytest.param([], signal.SIGTERM, id="SIGTERM"),
        pytest.param(["--stop-signal=SIGUSR1"], signal.SIGUSR1, id="SIGUSR1", marks=pytest.mark.slow),
        pytest.param([*DDP, "--stop-signal=SIGUSR1"], signal.SIGUSR1, id="two devices", marks=pytest.mark.slow),
    ],
)
def test_stopped_bench_starts_no_other_model(
    predict_words: list[str], tiny_model: Path, tmp_path: Path, more: list[str], by: signal.Signals
) -> None:
    models = [f"local-dir:{tiny_model}", {"name": "second", "backbone": f"local-dir:{tiny_model}"}]
    protocol = str(CONFIGS / "critters" / "mutual_knowledge.yaml")
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump({"protocol": protocol, "models": models}))
    options = [word for word in predict_words[2:] if not word.startswith(("--model.backbone", "--results.root"))]
    words = ["bench", "--config=bench.yaml", "--out=runs", *options, "--data.limit_classes=12", *more]
    process = start(words, tmp_path)
    said = stop_after_first_group(process, tmp_path / "runs" / "tiny", by=by, group=bool(more))
    assert said == (STOPPED if by == signal.SIGTERM else BY_USER)
    assert process.returncode == 143
    assert are_gone(process)
    assert not (tmp_path / "runs" / "second").exists()


def test_signal_that_a_finaliser_swallowed_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with stoppable():
        Dying()
        assert not capsys.readouterr().err  # Python would print "Exception ignored in", and a traceback
        with pytest.raises(Terminated, match="SIGTERM"):
            raise_if_stopping()
    raise_if_stopping()  # what comes later is not stopped


def test_other_faults_of_finalisers_are_shown() -> None:
    class Dying:
        def __del__(self) -> None:
            raise ValueError("odd")

    shown: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda raised: shown.append(raised.exc_value))
        with stoppable():
            Dying()
    assert [str(error) for error in shown] == ["odd"]


def test_handler_is_as_before_at_the_end() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_handlers_are_not_set_outside_of_a_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop_on_signals()
    take_stop_signal(["demo"])
    assert signal.getsignal(signal.SIGTERM) == before


def test_second_signal_does_not_break_the_timer_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    start_thread = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGTERM)  # `timeout` and schedulers signal the process and its group
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with stoppable():
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        monkeypatch.undo()
        signal.raise_signal(signal.SIGTERM)  # the timer runs; a later signal does not disturb the tidying up
