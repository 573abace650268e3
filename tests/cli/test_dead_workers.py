from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from torch.utils.data import get_worker_info

from mkbench.cli.dead_workers import dead_workers_explained
from mkbench.cli.main import main
from mkbench.cli.stopping import Terminated
from mkbench.datamodules.class_groups import ImageSource
from mkbench.datamodules.critters import Critters
from mkbench.errors import MkbenchError


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "that is killed by signal: Bus error; most often",
        ),
        (
            "DataLoader worker (pid 7) exited unexpectedly with exit code 1. Details are lost due to multiprocessing.",
            "that exited unexpectedly with exit code 1; most often",
        ),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "that exited unexpectedly; most often"),
    ],
)
def test_sentence_says_how_it_ended_and_what_to_set(said: str, how: str) -> None:
    with pytest.raises(MkbenchError, match=how) as error, dead_workers_explained():
        raise RuntimeError(said)
    assert "--data.num_workers" in str(error.value)
    assert "--shm-size" in str(error.value)


def test_worker_that_sigterm_ended_is_a_stop() -> None:
    with pytest.raises(Terminated), dead_workers_explained():
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated. ")


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="other"), dead_workers_explained():
        raise RuntimeError("other")


@pytest.mark.slow  # torch looks for dead workers every few seconds
def test_killed_worker_ends_the_command_with_one_sentence(
    predict_words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    source = type(Critters(images_per_class=1).source)
    read = source.read

    def die(self: ImageSource, class_index: int, sample_id: str) -> object:
        if get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)  # as a system without memory does
        return read(self, class_index, sample_id)

    monkeypatch.setattr(source, "read", die)
    assert main([*predict_words, f"--results.root={tmp_path}", "--data.num_workers=1"]) == 1
    said = capfd.readouterr().err
    # torch may see the signal first or the missing worker
    how = "found one that (is killed by signal|exited unexpectedly)"
    assert re.search(f"mkbench: Expected the processes that read images to end well, {how}", said)
    assert "Traceback" not in said
