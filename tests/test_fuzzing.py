"""Spoilt files of every kind: a sentence or a right result, never a traceback, a hang or gigabytes."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fuzzed_files import TARGETS, Target, bytes_edits, json_edits, spoil_bytes, spoil_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkbench.errors import MkbenchError

#: Cases of all targets together.
CASES = int(os.environ.get("MKBENCH_FUZZ_CASES", "0"))
_QUICK, _THOROUGH = 300, 5000
_SECONDS, _BYTES = 5.0, 2**30


def fuzz(target: Target, cases: int, place: Path) -> None:
    """Spoil the file of a target so often; a case that fails is shown by its edits."""
    whole = target.make(place)
    content = whole.read_bytes()
    target.read(whole)  # a whole file is fine
    kinds: list[Any] = [st.tuples(st.just(spoil_bytes), bytes_edits)]
    kinds += [st.tuples(st.just(spoil_json), json_edits)] if target.is_json else []

    @settings(
        max_examples=cases,
        deadline=None,  # of the wall clock, which another process may hold up
        database=None,
        derandomize=not CASES,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(kinds))
    def check(spoilt: tuple[Any, Any]) -> None:
        change, edits = spoilt
        whole.write_bytes(change(content, edits))
        started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with suppress(MkbenchError):  # a sentence
            target.read(whole)
        assert time.process_time() - started < _SECONDS, "a hang"
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < _BYTES, "gigabytes"

    check()


def share(target: Target, cases: int) -> int:
    """Cases of one target."""
    return max(1, round(cases * target.weight / sum(other.weight for other in TARGETS)))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_few_spoilt_files(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fuzz(target, share(target, _QUICK), tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_spoilt_files(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fuzz(target, share(target, CASES or _THOROUGH), tmp_path)
