"""Finished runs on disk: where they lie, what they hold, and names that tell them apart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from mkbench.errors import DataError, UsageError
from mkbench.runs.group_files import finished_groups
from mkbench.runs.manifest import read_manifest
from mkbench.runs.results import model_label, read_environment, read_results
from mkbench.runs.run_folder import GROUPS, MANIFEST, RESULTS
from mkbench.runs.schema import Environment, RunResults
from mkbench.runs.tidy_tables import TidyTable, metric_rows, sample_rows

_DEPTHS = ("", "*/", "*/*/")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where its run folder lies.
        label: the model's name as it is printed, followed by the folder where several runs share a name.
        results: its ``results.json``, parsed.
        environment: its ``environment.json``, parsed; empty where there is none.
    """

    folder: Path
    label: str
    results: RunResults
    environment: Environment

    @property
    def system(self) -> str:
        """System that was run, such as ``mutual_knowledge``."""
        return self.results["system"]

    def labelled(self) -> RunResults:
        """Return the results with the run's label as the label of the model.

        >>> run = Run(Path("b"), "ViT (b)", {"model": {"name": "vit", "label": "ViT"}}, {})
        >>> run.labelled()["model"]["label"]
        'ViT (b)'
        """
        return {**self.results, "model": {**self.results["model"], "label": self.label}}

    def metrics(self) -> TidyTable:
        """Return the metrics of this run, as ``Runs.metrics`` does."""
        return Runs([self]).metrics()

    def samples(self) -> TidyTable:
        """Return the rows of this run's images, as ``Runs.samples`` does."""
        return Runs([self]).samples()


class Runs(Sequence[Run]):
    """Finished runs in the order in which they were named, and their numbers as tables.

    Args:
        runs: the runs.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> "Runs": ...

    def __getitem__(self, index: int | slice) -> "Run | Runs":
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"Runs({[run.label for run in self]})"

    def metrics(self) -> TidyTable:
        """Return a row for each metric of each run.

        Columns: ``run`` (its folder), ``model``, ``explainer`` (null for a metric of the model alone), ``metric``,
        ``value`` and the ends ``low`` and ``high`` of its 95 % interval in the metric's own unit (null where the run
        has none), ``n`` (images or heads it is over) and ``higher_is_better`` (null where neither is).

        >>> metric = {"name": "top1", "explainer": None, "value": 0.5, "interval": [0.25, 0.75], "n": 8}
        >>> run = Run(Path("runs/vit"), "ViT", {"model": {"name": "vit"}, "metrics": [metric]}, {})
        >>> table = Runs([run]).metrics().to_arrow()
        >>> table.select(["run", "model", "metric", "value", "low", "high"]).to_pylist()
        [{'run': 'runs/vit', 'model': 'ViT', 'metric': 'top1', 'value': 0.5, 'low': 0.25, 'high': 0.75}]
        """
        return metric_rows([(run.folder, run.label, run.results) for run in self])

    def samples(self) -> TidyTable:
        """Return a row for each image and explainer of each run; for each image where a run explains none.

        Columns: ``run`` (its folder), ``model``, and those of the group files; null where a run lacks one of them.

        Raises:
            DataError: a group file is damaged, or two runs hold different kinds of values in one column.

        >>> Runs([]).samples().to_arrow().column_names
        ['run', 'model']
        """
        return sample_rows([(run.folder, run.label) for run in self])


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """List the folders of finished runs: the given ones, and in place of a bench's folder those inside, by name.

    In the folder of a bench with variants they lie one folder deeper.

    Args:
        paths: folders of models or of benches; a run that is named twice is listed once.

    Raises:
        UsageError: a folder is neither.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("vit", "rn"):
        ...         (Path(folder) / name).mkdir()
        ...         _ = (Path(folder) / name / "results.json").write_text("{}")
        ...     [path.name for path in find_runs([Path(folder), Path(folder) / "vit"])]
        ['rn', 'vit']
    """
    return _find(paths, (RESULTS,))


def find_folders(paths: Iterable[Path]) -> list[Path]:
    """List run folders as ``find_runs`` does, also those of which the results are missing.

    Args:
        paths: folders of models or of benches.

    Raises:
        UsageError: a folder is neither.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "vit").mkdir()
        ...     _ = (Path(folder) / "vit" / "manifest.json").write_text("{}")
        ...     [path.name for path in find_folders([Path(folder)])]
        ['vit']
    """
    return _find(paths, (RESULTS, MANIFEST))


def _find(paths: Iterable[Path], names: Sequence[str]) -> list[Path]:
    """List the folders that hold one of these files: the given ones, or those one or two levels below."""
    found: dict[Path, Path] = {}
    for path in paths:
        depths = (sorted({file.parent for name in names for file in path.glob(f"{depth}{name}")}) for depth in _DEPTHS)
        inside = next(filter(None, depths), [])
        if not inside:
            raise UsageError(
                f"Expected the folder of a finished run with {RESULTS}, found none at {path}; name a model's folder, "
                "or the folder of a bench."
            )
        for run in inside:
            found.setdefault(run.resolve(), run)
    return list(found.values())


def as_paths(folders: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return one folder or several as paths.

    >>> [path.as_posix() for path in as_paths("runs/demo")]
    ['runs/demo']
    """
    return [Path(folders)] if isinstance(folders, (str, Path)) else [Path(folder) for folder in folders]


def read_runs(folders: str | Path | Iterable[str | Path]) -> Runs:
    """Read finished runs.

    Args:
        folders: of models, or of benches, which stand for the runs inside; one or several.

    Returns:
        The runs in the order given, those of a bench by name; a run that is named twice is read once.

    Raises:
        UsageError: no finished run in a folder.
        DataError: a damaged file, or one of another schema version.
    """
    found = find_runs(as_paths(folders))
    contents = [(read_results(folder), read_environment(folder)) for folder in found]
    labels = _tell_apart([model_label(results) for results, _ in contents], found)
    return Runs(
        Run(folder, label, results, environment)
        for folder, label, (results, environment) in zip(found, labels, contents, strict=True)
    )


def require_whole(runs: Iterable[Run]) -> None:
    """Refuse runs of which group files are missing, so that images do not silently drop out of comparisons.

    Args:
        runs: finished runs; what is said of one that says itself that it is partial is that alone.

    Raises:
        DataError: a run that lacks a group which its manifest names, or whose manifest is damaged.

    >>> require_whole([])
    """
    for run in runs:
        groups = (read_manifest(run.folder) or {}).get("groups", {})
        missing = sorted(set(groups) - set(finished_groups(run.folder)))
        if missing and "partial" not in run.results["data"]:
            raise DataError(
                f"Expected the rows of {len(groups)} class groups in {run.folder / GROUPS}, found {len(missing)} "
                f"missing, such as {missing[0]}; run its `mkbench predict` again, which computes what is missing."
            )


def _tell_apart(names: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Add to names that several runs share the bench's folder, the run's own, or else the whole path."""
    counts = Counter(names)
    labels = list(names)
    for places in ([path.parent.name for path in folders], [path.name for path in folders], list(map(str, folders))):
        pairs = zip(names, places, strict=True)
        labels = [name if counts[name] == 1 else f"{name} ({place})" for name, place in pairs]
        if len(set(labels)) == len(labels):
            break
    return labels
