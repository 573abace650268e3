"""Comparison of foregrounds that runs keep, and its presentation."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict, cast

from mkbench.errors import DataError
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate
from mkbench.runs.run_folder import FOREGROUND, read_object, write_json
from mkbench.runs.schema import Bounds, find_fault
from mkbench.studies.foreground.study import ForegroundComparison
from mkbench.studies.foreground.table import foreground_table
from mkbench.studies.presentation import Presentation

_Share = tuple[float, Bounds]


class _Kept(TypedDict):
    settings: tuple[str, str]
    images: int
    own: _Share
    keys: _Share
    whole: _Share
    gain: _Share
    gain_over_whole: _Share


def keep_comparison(run: Path, found: ForegroundComparison) -> None:
    """Write a comparison to its run as ``foreground.json``, without images: each estimate with its interval."""
    kept = asdict(found)
    write_json(run / FOREGROUND, {name: kept[name] for name in _Kept.__annotations__})


def read_comparison(run: Run) -> ForegroundComparison | None:
    """Read the comparison that a run keeps; None where there is none.

    Raises:
        DataError: the file is damaged.
    """
    path = run.folder / FOREGROUND
    content = read_object(path)
    if content is None:
        return None
    fault = find_fault(content, _Kept)
    if fault is not None:
        raise DataError(f"Expected in {path} {fault}; delete it, or run `mkbench demo` again.")
    kept = cast(_Kept, content)
    first, second = kept["settings"]
    own, keys, whole, gain, over_whole = (
        Estimate(value, (low, high))
        for value, (low, high) in (kept["own"], kept["keys"], kept["whole"], kept["gain"], kept["gain_over_whole"])
    )
    return ForegroundComparison(
        run.label, (first, second), kept["images"], own, keys, whole, gain=gain, gain_over_whole=over_whole
    )


def present_foregrounds(runs: Sequence[Run]) -> Presentation | None:
    """Return the table of CorLoc by two settings, for a page; None where no run keeps a comparison.

    Raises:
        DataError: the comparison that a run keeps is damaged.
    """
    found = [one for run in runs if (one := read_comparison(run)) is not None]
    return Presentation("Foreground", [foreground_table(found)]) if found else None
