from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mkbench.errors import UsageError
from mkbench.runs import ownership
from mkbench.runs.ownership import LOCK, Owner, give_up_ownership, read_owner, take_ownership

#: Waits for the file `go`, takes the folder, says so, and keeps it for as long as its input is open.
TAKE = """
import sys, pathlib
from mkbench.runs.ownership import take_ownership
from mkbench.errors import UsageError
print("ready", flush=True)
sys.stdin.readline()
try:
    take_ownership(pathlib.Path("run"))
except UsageError as error:
    print(error, flush=True)
else:
    print("owner", flush=True)
sys.stdin.readline()
"""


def processes(folder: Path, number: int) -> list[subprocess.Popen[str]]:
    """Processes that take the folder `run` as soon as they are told."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(number)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def tell(started: list[subprocess.Popen[str]]) -> list[str]:
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.stdout.readline() for process in started if process.stdout is not None]


def write_lock(run: Path, owner: Owner) -> None:
    run.mkdir(exist_ok=True)
    (run / LOCK).write_text(json.dumps(vars(owner)))


@pytest.mark.parametrize("dead", [False, True])
def test_of_processes_that_start_at_once_one_owns_the_folder(dead: bool, tmp_path: Path) -> None:
    for _ in range(5):
        if dead:  # all of them want to clear away what a crash has left
            write_lock(tmp_path / "run", replace(Owner.this_process(), pid=2**22 + 1))
        started = processes(tmp_path, 3)
        said = tell(started)
        owner = read_owner(tmp_path / "run")
        assert said.count("owner\n") == 1
        winner = started[said.index("owner\n")]
        assert owner is not None
        assert owner.pid == winner.pid
        assert sum(f"found that process {winner.pid} on" in line for line in said) == 2
        for process in started:
            process.kill()
            process.communicate()
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [LOCK]
        take_ownership(tmp_path / "run")  # the owner has been killed
        give_up_ownership(tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_process_of_another_machine_keeps_the_folder_until_told(tmp_path: Path) -> None:
    write_lock(tmp_path, replace(Owner.this_process(), host="elsewhere"))
    with pytest.raises(UsageError, match=rf"process {os.getpid()} on elsewhere .*--results\.take_over true"):
        take_ownership(tmp_path)
    give_up_ownership(tmp_path)  # it is not this process's
    assert (tmp_path / LOCK).exists()
    take_ownership(tmp_path, take_over=True)
    assert read_owner(tmp_path) == replace(Owner.this_process(), since=getattr(read_owner(tmp_path), "since", ""))


def test_later_process_of_the_same_number_is_another(tmp_path: Path) -> None:
    write_lock(tmp_path, replace(Owner.this_process(), pid=os.getppid(), started="1"))
    take_ownership(tmp_path)
    owner = read_owner(tmp_path)
    assert owner is not None
    assert owner.pid == os.getpid()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"host": "a"}', '{"host": "a", "pid": "b"}'])
def test_damaged_lock_is_nobodys(text: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(text)
    assert read_owner(tmp_path) is None
    take_ownership(tmp_path)
    assert read_owner(tmp_path) is not None


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError("no hard links")

    monkeypatch.setattr(ownership.os, "link", refuse)
    write_lock(tmp_path, replace(Owner.this_process(), host="elsewhere"))
    with pytest.raises(UsageError, match="elsewhere"):
        take_ownership(tmp_path)
    (tmp_path / LOCK).unlink()
    take_ownership(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
