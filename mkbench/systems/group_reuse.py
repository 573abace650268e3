"""Reuse of the groups that an earlier, interrupted call has finished: which of them are still this run's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import GroupSpec
from mkbench.errors import DataError
from mkbench.runs.group_files import GroupRecord, finished_groups, read_group
from mkbench.runs.run_folder import group_path
from mkbench.systems.base import BenchmarkSystem


def is_same_run(run: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a run goes on with an earlier manifest: with the same, or without images that had no results.

    Such are the unreadable images that a message advises to remove.

    Args:
        run: folder of the run.
        earlier: its manifest.
        now: the manifest that it would get now.

    >>> is_same_run(Path("nowhere"), {"settings": {"seed": 0}}, {"settings": {"seed": 1}})
    False
    """
    if earlier == now:
        return True
    if {**earlier, "groups": None} != {**now, "groups": None}:
        return False
    listed = [{name for names in manifest.get("groups", {}).values() for name in names} for manifest in (earlier, now)]
    gone, new = listed[0] - listed[1], listed[1] - listed[0]
    return not new and gone.isdisjoint(_explained(run))


def _explained(run: Path) -> set[str]:
    """Return the images that have rows; those of damaged files, which are computed again, have none."""
    names: set[str] = set()
    for key in finished_groups(run):
        try:
            names |= set(read_group(group_path(run, key)).rows["sample_id"].to_pylist())
        except DataError:
            continue
    return names


def why_computed_again(
    run: Path, spec: GroupSpec, earlier: Sequence[str], system: BenchmarkSystem, data: ClassGroupDataModule
) -> str | None:
    """Say why a group that has a file cannot be kept; None if it can.

    Args:
        run: folder of the run.
        spec: the group.
        earlier: its images as the manifest lists them.
        system: the system.
        data: the data.

    Returns:
        That the file, or what lies beside it, is damaged or another's, or that the images are not those of then.
    """
    try:
        record = read_group(group_path(run, spec.key))
    except DataError as error:
        return str(error)
    foreign = set(record.rows["sample_id"].to_pylist()) - set(spec.sample_ids)
    if foreign:
        return f"its file holds images of another group, such as {min(foreign)!r}."
    if list(spec.sample_ids) != list(earlier):
        return "an image that could not be read was removed."
    return _why_other_images(record, spec, system, data) or system.why_not_kept(run, record)


def _why_other_images(
    record: GroupRecord, spec: GroupSpec, system: BenchmarkSystem, data: ClassGroupDataModule
) -> str | None:
    """Say how the images of a group are not those that its file was computed from; None if they are."""
    if record.content is not None and record.content != data.content(spec):
        return "the content of its images has changed."
    left_out = sorted(set(spec.sample_ids) - set(record.rows["sample_id"].to_pylist())) if record.unreadable else []
    alone = [GroupSpec(spec.class_index, spec.part, (name,)) for name in left_out]
    images = data.dataset(system.geometry, alone)
    readable = next((name for number, name in enumerate(left_out) if len(images[number])), None)
    return None if readable is None else f"{readable!r}, which could not be read, can be read now."
