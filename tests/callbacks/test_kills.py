"""Runs that are killed at every boundary between two files, and runs that start together."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mkbench.cli.main import main
from mkbench.runs.run_folder import REPORT

#: Of `environment.json`: what a clock says, and what counts only the images that the last process computed.
SPEED = ("images_computed", "seconds", "images_per_second", "forward_ms", "explainer_costs")
KILLS, RANDOM_KILLS, PAIRS = 12, 4, 6
#: On a busy machine the 25 runs of the first test take longer than others may.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def fonts_of_figures() -> None:
    """Embedded fonts in every run: the whole one is made before fixtures of a test take part."""


def start(words: list[str], prepare: Callable[[], Any] = lambda: None) -> int:
    """Run a command in a copy of this process, which has everything imported already; return its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        prepare()
        os._exit(main(words))
    finally:
        os._exit(99)


def wait(child: int) -> int:
    """Exit code of a process, negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying_at(boundary: int) -> Callable[[], None]:
    """Kill this process at the boundary: an even one is before a file takes its place, an odd one is after it."""

    def prepare() -> None:
        original, count = Path.replace, iter(range(10**6))

        def replace(self: Path, target: Any) -> Path:
            number = 2 * next(count)
            if number == boundary:
                os.kill(os.getpid(), signal.SIGKILL)
            placed = original(self, target)
            if number + 1 == boundary:
                os.kill(os.getpid(), signal.SIGKILL)
            return placed

        Path.replace = replace  # type: ignore[method-assign]

    return prepare


def artefacts(run: Path) -> dict[str, Any]:
    """Content of every file that a run leaves, but for the log; of the environment what is not speed."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = path.relative_to(run).as_posix()
        if name == "environment.json":
            content = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {key: value for key, value in content.items() if key not in SPEED}
        elif name == REPORT:
            found[name] = None  # it names the folder and the speed
        elif name != "groups.log":
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def words(predict_words: list[str]) -> list[str]:
    return [word for word in predict_words if not word.startswith(("--results", "--figures"))] + ["--figures.samples=6"]


@pytest.fixture(scope="module")
def whole(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run that nothing disturbs leaves."""
    root = tmp_path_factory.mktemp("whole")
    assert main([*words, f"--results.root={root}"]) == 0
    (root / "tiny" / "config.yaml").unlink()  # it names the folder
    return artefacts(root / "tiny")


@pytest.fixture
def same(whole: dict[str, Any]) -> Iterator[Callable[[Path], None]]:
    """Compares a run with the undisturbed one."""

    def compare(run: Path) -> None:
        (run / "config.yaml").unlink()
        left = artefacts(run)
        assert left.keys() == whole.keys()
        assert [name for name in whole if left[name] != whole[name]] == []

    return compare


def test_killed_at_chosen_boundaries(
    words: list[str], whole: dict[str, Any], same: Callable[[Path], None], tmp_path: Path
) -> None:
    files = len(whole) + 1  # config.yaml; each has a boundary before and one after it
    boundaries = sorted({round(step * (2 * files - 1) / (KILLS - 1)) for step in range(KILLS)})
    assert len(boundaries) == KILLS
    for boundary in boundaries:
        root = tmp_path / str(boundary)
        again = [*words, f"--results.root={root}"]
        assert wait(start(again, dying_at(boundary))) == -signal.SIGKILL, boundary
        assert wait(start(again)) == 0, boundary
        same(root / "tiny")


def test_killed_at_any_time(words: list[str], same: Callable[[Path], None], tmp_path: Path) -> None:
    started = time.monotonic()
    assert wait(start([*words, f"--results.root={tmp_path / 'timed'}"])) == 0
    lasts, draw = time.monotonic() - started, random.Random()  # any moment must do
    for attempt in range(RANDOM_KILLS):
        root, delay = tmp_path / str(attempt), draw.random() * lasts
        again = [*words, f"--results.root={root}"]
        child = start(again)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        wait(child)
        print(f"killed after {delay:.3f} of {lasts:.3f} s")  # shown if the test fails
        assert wait(start(again)) == 0
        same(root / "tiny")


def test_two_at_once(words: list[str], same: Callable[[Path], None], tmp_path: Path) -> None:
    for attempt in range(PAIRS):
        root = tmp_path / str(attempt)
        again = [*words, f"--results.root={root}"]
        codes = sorted(wait(child) for child in [start(again), start(again)])
        assert codes in ([0, 0], [0, 2])  # where one came late, it found a finished run
        same(root / "tiny")


def test_two_different_ones_at_once(words: list[str], same: Callable[[Path], None], tmp_path: Path) -> None:
    for attempt in range(PAIRS // 3):
        root = tmp_path / str(attempt)
        again = [*words, f"--results.root={root}"]
        children = [start(again), start([*again, "--model.num_language_concepts=11"])]
        codes = [wait(child) for child in children]
        assert sorted(codes) == [0, 2]
        manifest = json.loads((root / "tiny" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["settings"]["num_language_concepts"] == (12 if codes[0] == 0 else 11)
