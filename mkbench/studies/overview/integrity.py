"""Check that a finished run is as it was written: digests of its rows, and results that follow from them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from mkbench.errors import DataError
from mkbench.runs.finished_runs import Run, require_whole
from mkbench.runs.group_files import finished_groups, has_digest, read_groups
from mkbench.runs.manifest import read_manifest
from mkbench.systems.records.classifiers import classified_layout, classified_rows
from mkbench.systems.records.head_segmentation import segmentation_layout, segmentation_rows
from mkbench.systems.records.metric_rows import Layout, OwnedRows, join_groups, layout_results
from mkbench.systems.records.rankings import ranking_layout, ranking_rows
from mkbench.systems.records.summary import (
    add_up_fallbacks,
    compare_controls,
    curves_of,
    explained_layout,
    explained_rows,
)

_SAME = 1e-9  # relative; another machine may add in another order
#: How far ends of an interval may lie apart, as a share of its width: another version of PyTorch may draw other images.
_RESAMPLED = 0.25


def _explained(table: pa.Table, run: Run) -> tuple[Layout, OwnedRows]:
    rows = explained_rows(table)
    return explained_layout(table.column_names, [name for name in rows if name is not None]), rows


def _classified(table: pa.Table, run: Run) -> tuple[Layout, OwnedRows]:
    heads = list(run.results["settings"]["heads"])
    return classified_layout(heads), classified_rows(table, heads)


#: System -> how its metrics follow from its rows.
_COMPUTED: Mapping[str, Callable[[pa.Table, Run], tuple[Layout, OwnedRows]]] = {
    "mutual_knowledge": _explained,
    "baseline_accuracy": _classified,
    "head_decomposition": lambda table, run: (ranking_layout(), ranking_rows(table)),
    "head_segmentation": lambda table, run: (segmentation_layout(), segmentation_rows(table)),
}


def require_untampered(run: Run) -> None:
    """Refuse a run that was changed after it was written.

    Each class group of the manifest must have its digest in the log and be the file of that digest; model, data and
    settings of the results must be those of the manifest; and of mkbench's own systems, special cases and every metric
    that follows from the rows, with its interval, must be what the results say; of explained images curves, and the
    comparisons with controls that the marks ‡ and § stand for, too. Metrics of a user's own, and of heads, are not
    computed again.
    This finds slips and careless edits: whoever writes rows, log and results anew is not found.

    Args:
        run: a finished run.

    Raises:
        DataError: the run is not as it was written; the sentence names it.
    """
    require_whole([run])
    manifest = read_manifest(run.folder)
    if manifest is None:
        raise _changed(run, "a manifest, found none")
    for key in manifest.get("groups", {}):
        if not has_digest(run.folder, key):
            raise _changed(run, f"a digest of the class group {key} in its log, found none")
    records = read_groups(run.folder, [key for key in finished_groups(run.folder) if key in manifest["groups"]])
    for entry in ("model", "data", "settings"):
        _require_recorded(run, entry, manifest.get(entry, {}))
    if run.system in _COMPUTED:
        joined = join_groups(records)
        if not _same(run.results["fallbacks"], add_up_fallbacks(joined.fallbacks)):
            raise _changed(run, "the special cases of its class groups, found others in its results")
        _require_metrics(run, joined.rows)
        if run.system == "mutual_knowledge":
            _require_curves_and_controls(run, joined.rows)


def _changed(run: Run, what: str) -> DataError:
    return DataError(
        f"Expected {run.folder} ({run.label}) as it was written, with {what}; leave it out, or run it again."
    )


def _require_recorded(run: Run, entry: str, recorded: Mapping[str, Any]) -> None:
    """Compare what results and manifest say; results may say more."""
    found: Mapping[str, Any] = run.results[entry]  # type: ignore[literal-required]
    for name, value in recorded.items():
        if name not in found or found[name] != value:
            raise _changed(run, f"{entry}.{name} as in its manifest, found another in its results")


def _require_metrics(run: Run, table: pa.Table) -> None:
    """Compute the metrics that follow from the rows."""
    recorded = {(metric["name"], metric["explainer"]): metric for metric in run.results["metrics"]}
    for computed in layout_results(*_COMPUTED[run.system](table, run)):
        name, owner = computed["name"], computed["explainer"]
        found = recorded.get((name, owner))
        if found is not None and not _follows(found, computed):
            of = f" of {owner}" if owner else ""
            raise _changed(run, f"the {name}{of} of its rows, found another in its results")


def _require_curves_and_controls(run: Run, table: pa.Table) -> None:
    """Compute the curves, and the comparisons with controls, which tables mark."""
    for name, curves in curves_of(explained_rows(table)).items():
        for explainer, curve in curves.items():
            if not _same(run.results["curves"].get(name, {}).get(explainer), curve):
                raise _changed(run, f"the curve {name} of {explainer} of its rows, found another in its results")
    recorded = {_compared(control): control for control in run.results["controls"]}
    for control in compare_controls(table):
        if not _follows(recorded.get(_compared(control), {}), control):
            of = f"the {control['metric']} of {control['explainer']} beside {control['control']}"
            raise _changed(run, f"{of} of its rows, found another in its results")


def _compared(control: Mapping[str, Any]) -> tuple[str, str, str]:
    return control["metric"], control["explainer"], control["control"]


def _follows(found: Mapping[str, Any], computed: Mapping[str, Any]) -> bool:
    """Whether all that was computed of a metric is the same; ends of intervals may differ by little."""
    interval, recomputed = found.get("interval"), computed["interval"]
    if interval is None or recomputed is None:
        return interval == recomputed and _same(found, computed)
    near = _RESAMPLED * (recomputed[1] - recomputed[0]) + _SAME
    ends = all(abs(end - other) <= near for end, other in zip(interval, recomputed, strict=True))
    return ends and _same(found, {**computed, "interval": interval})


def _same(found: Any, computed: Any) -> bool:
    """Whether two values are the same but for the last digits.

    >>> _same({"n": [1.0]}, {"n": [1.0 + 1e-12]}), _same({"n": [1.0]}, {"n": [1.1]}), _same(None, [1.0])
    (True, False, False)
    """
    if isinstance(computed, Mapping):
        return isinstance(found, Mapping) and all(_same(found.get(name), value) for name, value in computed.items())
    if isinstance(computed, list | tuple):
        alike = isinstance(found, list | tuple) and len(found) == len(computed)
        return alike and all(map(_same, found, computed))
    if isinstance(computed, float) and isinstance(found, int | float):
        both_absent = math.isnan(computed) and math.isnan(found)
        return both_absent or math.isclose(found, computed, rel_tol=_SAME, abs_tol=_SAME)
    return bool(found == computed)
