"""Results that were lost or damaged, built again from the groups of their run for whoever asks for them."""

import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mkbench.cli.run_parts import load_data, load_part
from mkbench.errors import DataError, MkbenchError, MkbenchWarning
from mkbench.runs.finished_runs import Runs, as_paths, find_folders, read_runs
from mkbench.runs.group_files import finished_groups
from mkbench.runs.manifest import differences, read_manifest
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import CONFIG, RESULTS, read_object, write_json
from mkbench.runs.schema import SCHEMA_VERSION


def open_runs(folders: str | Path | Iterable[str | Path], *, trust: bool = False) -> Runs:
    """Read finished runs, as :func:`mkbench.runs.finished_runs.read_runs` does, after restoring lost results.

    Args:
        folders: of models, or of benches, which stand for the runs inside; one or several.
        trust: build classes that are not mkbench's own for it, too.

    Raises:
        UsageError: no finished run in a folder.
        DataError: a damaged file that cannot be restored, or one of another schema version.

    >>> open_runs([])
    Runs([])
    """
    return read_runs(restore_results(as_paths(folders), trust=trust))


def restore_results(paths: Iterable[Path], *, trust: bool = False) -> list[Path]:
    """Build the results of runs again whose ``results.json`` is missing or damaged; return the folders of all runs.

    Unfinished runs in the folder of a bench are left out, with a warning.

    Args:
        paths: folders of models or of benches.
        trust: build classes that are not mkbench's own for it, too.

    Raises:
        UsageError: no run in a folder, or one that cannot be built again.
        DataError: class groups of a run are missing, or its model or data are not those of then.

    >>> restore_results([])
    []
    """
    named, restored = list(paths), []
    for run in find_folders(named):
        try:
            read_results(run)
        except MkbenchError as error:
            manifest = read_manifest(run)
            if manifest is None or not (run / CONFIG).is_file() or _of_another_version(run):
                raise
            unfinished = _unfinished(run, manifest)
            if unfinished is not None and run in named:
                raise DataError(unfinished) from error
            if unfinished is not None:
                warnings.warn(f"Left out: {unfinished}", MkbenchWarning, stacklevel=2)
                continue
            _restore(run, manifest, error, trust=trust)
        restored.append(run)
    if named and not restored:
        raise DataError(f"Expected finished runs in {named[0]}, found unfinished ones; run the same bench again.")
    return restored


def _of_another_version(run: Path) -> bool:
    """Whether the results are those of another version of mkbench, whole, and not to be written over."""
    with suppress(MkbenchError):
        content = read_object(run / RESULTS) or {}
        return bool(content.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION)
    return False


def _unfinished(run: Path, manifest: Mapping[str, Any]) -> str | None:
    """Say which class groups a run lacks; None if it has all of them."""
    groups = manifest.get("groups", {})
    missing = sorted(set(groups) - set(finished_groups(run)))
    if not missing:
        return None
    return (
        f"Expected a finished run in {run}, found {len(missing)} of {len(groups)} class groups missing, such as "
        f"{missing[0]}; run its `mkbench predict` again, which computes what is missing."
    )


def _restore(run: Path, manifest: dict[str, Any], fault: MkbenchError, *, trust: bool) -> None:
    from mkbench.systems.base import BenchmarkSystem  # noqa: PLC0415 - takes seconds to import
    from mkbench.systems.provenance import build_results, describe_run  # noqa: PLC0415

    system, data = load_part(run, "model", trust=trust), load_data(run, trust=trust)
    if not isinstance(system, BenchmarkSystem):
        raise fault
    restore_results(system.earlier_runs, trust=trust)
    now = describe_run(system, data)
    now["model"]["label"] = manifest.get("model", {}).get("label")  # the user may have given another
    if now != manifest:
        raise DataError(
            f"Expected the model and the data of {run}, of which {RESULTS} is damaged or missing, found others: "
            f"{', '.join(differences(manifest, now))}; restore them, or run `mkbench predict` again."
        )
    system.prepare(data)
    results = build_results(run, system, data)
    results["model"] = now["model"]
    with suppress(PermissionError):  # a run that only others may write to
        write_json(run / RESULTS, results)
