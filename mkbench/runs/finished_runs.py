"""Finished runs on disk: where they lie, what they hold, and names that tell them apart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mkbench.errors import UsageError
from mkbench.runs.results import Document, model_label
from mkbench.runs.run_folder import RESULTS, read_results


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
    results: Document
    environment: Document

    def labelled(self) -> Document:
        """Return the results with the run's label as the label of the model.

        >>> run = Run(Path("b"), "ViT (b)", {"model": {"name": "vit", "label": "ViT"}}, {})
        >>> run.labelled()["model"]["label"]
        'ViT (b)'
        """
        return {**self.results, "model": {**self.results["model"], "label": self.label}}


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
    found: dict[Path, Path] = {}
    for path in paths:
        depths = (sorted(path.glob(f"{depth}{RESULTS}")) for depth in ("", "*/", "*/*/"))
        inside = [file.parent for file in next(filter(None, depths), [])]
        if not inside:
            raise UsageError(
                f"Expected the folder of a finished run with {RESULTS}, found none at {path}; name a model's folder, "
                "or the folder of a bench."
            )
        for run in inside:
            found.setdefault(run.resolve(), run)
    return list(found.values())


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read finished runs, in the order given.

    Raises:
        UsageError: no finished run in a folder.
        DataError: a damaged file, or one of another schema version.
    """
    contents = [read_results(folder) for folder in folders]
    labels = _tell_apart([model_label(results) for results, _ in contents], folders)
    return [
        Run(folder, label, results, environment)
        for folder, label, (results, environment) in zip(folders, labels, contents, strict=True)
    ]


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
