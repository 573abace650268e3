"""Do runs reproduce a published table? Every number of every run matches, does not, or cannot be compared."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mkbench.backbones import model_entries
from mkbench.results.published import Column, PublishedTable
from mkbench.results.reading import RANDOM_WEIGHTS, Document, Estimate, find_metric, model_label
from mkbench.results.runs import Run

Verdict = Literal["match", "mismatch", "not comparable"]
VERDICTS: tuple[Verdict, ...] = ("match", "mismatch", "not comparable")
_ROUNDING = 1e-9  # a difference of exactly the tolerance is a match, whatever its last bits


@dataclass(frozen=True)
class Cell:
    """One number of one run beside the published one.

    Attributes:
        model: the run's label.
        run: the run's folder.
        column: key of the column of the published table.
        label: heading of the column.
        published: the published number, None where the table has none for this model.
        measured: the run's number in the table's unit, None where the run has none.
        tolerance: the largest difference that is a match.
        verdict: how they compare.
        reasons: why they do not; empty where they do.
    """

    model: str
    run: str
    column: str
    label: str
    published: float | None
    measured: Estimate | None
    tolerance: float
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Measured less published; None where they do not compare."""
        if self.verdict == "not comparable" or self.measured is None or self.published is None:
            return None
        return self.measured.value - self.published


@dataclass(frozen=True)
class Verification:
    """All cells of some runs against a published table.

    Attributes:
        table: the published table.
        cells: a cell for each run and column, run by run.
        not_run: models of the table of which no run was given.
    """

    table: PublishedTable
    cells: tuple[Cell, ...]
    not_run: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many cells there are of each verdict, and how many models were not run."""
        counts = Counter(cell.verdict for cell in self.cells)
        return {verdict: counts[verdict] for verdict in VERDICTS} | {"not run": len(self.not_run)}

    def verified(self, *, complete: bool = False) -> bool:
        """Whether every cell is a match and, if ``complete``, every model of the table was run."""
        return all(cell.verdict == "match" for cell in self.cells) and not (complete and self.not_run)


def verify(table: PublishedTable, runs: Sequence[Run]) -> Verification:
    """Compare the metrics of runs with the numbers of a published table.

    A cell compares only where the run is of a model of the table with its trained weights, on all images of the
    table's data set, and with every setting that its metric depends on; the reasons say what is otherwise. It is a
    match if measured and published differ by no more than the column's tolerance. The uncertainty of the measured
    number plays no part: both are of the same images.

    Args:
        table: see ``load_published``.
        runs: finished runs, at least one.

    Returns:
        The cells, run by run in the order given.

    Raises:
        ValueError: if there is no run.

    Example:
        >>> from pathlib import Path
        >>> from mkbench.results.published import load_published
        >>> data = {"name": "critters", "classes": 32, "images": 640}
        >>> model = {"name": "critters-vit-s", "random_weights": False}
        >>> results = {"model": model, "data": data, "settings": {}, "metrics": []}
        >>> runs = [Run(Path("vit-s"), "Critters ViT-S", results, {})]
        >>> verification = verify(load_published("mutual-knowledge-table3"), runs)
        >>> verification.cells[0].verdict, verification.cells[0].reasons[1]
        ('not comparable', 'data set critters, published of imagenet-val')
    """
    if not runs:
        raise ValueError("runs must hold at least one run, found none")
    models = [_published_model(run.results) for run in runs]
    cells = [
        _cell(table, run, model, key)
        for run, model in zip(runs, models, strict=True)
        for key in table.columns
        if model not in table.rows or key in table.rows[model]
    ]
    return Verification(table, tuple(cells), tuple(model for model in table.rows if model not in models))


def _published_model(results: Document) -> str:
    """What published tables call the model of a run, whether or not its weights are random."""
    name = str(results["model"]["name"]).removesuffix(f" {RANDOM_WEIGHTS}")
    labels = {entry.name: entry.label for entry in model_entries()}
    return labels.get(name, model_label(results).removesuffix(f" {RANDOM_WEIGHTS}"))


def _cell(table: PublishedTable, run: Run, model: str, key: str) -> Cell:
    column = table.columns[key]
    estimate = find_metric(run.results, column.metric, column.explainer)
    measured = None if estimate is None else estimate.scaled(column.scale)
    published = table.rows.get(model, {}).get(key)
    reasons = tuple(_reasons(table, column, run.results, model, measured))
    verdict: Verdict = "not comparable"
    if not reasons and measured is not None and published is not None:
        close = abs(measured.value - published) <= column.tolerance + _ROUNDING
        verdict = "match" if close else "mismatch"
    return Cell(
        model=run.label,
        run=str(run.folder),
        column=key,
        label=column.label,
        published=published,
        measured=measured,
        tolerance=column.tolerance,
        verdict=verdict,
        reasons=reasons,
    )


def _reasons(
    table: PublishedTable, column: Column, results: Document, model: str, measured: Estimate | None
) -> list[str]:
    """Why a cell does not compare; empty where it does."""
    reasons = []
    if model not in table.rows:
        reasons.append("model not in the table")
    if results["model"]["random_weights"]:
        reasons.append("random weights")
    reasons += _data_reasons(table, results)
    reasons += [
        _setting_reason(path, column, found, wanted)
        for path, wanted in table.requirements(column).items()
        if (found := _look_up(results, path)) != wanted
    ]
    if column.not_comparable:
        reasons.append(column.not_comparable)
    if measured is None:
        of = f" of {column.explainer}" if column.explainer else ""
        reasons.append(f"no {column.metric}{of} in the results")
    return reasons


def _data_reasons(table: PublishedTable, results: Document) -> list[str]:
    """In what the pictures of a run differ from those of the table."""
    data = results["data"]
    if data["name"] not in table.data_names:
        return [f"data set {data['name']}, published of {' or '.join(table.data_names)}"]
    counts = {"classes": table.classes, "images": table.images}
    return [
        f"{data[thing]:,} of {wanted:,} {thing}" if data[thing] < wanted else f"{data[thing]:,} {thing}, not {wanted:,}"
        for thing, wanted in counts.items()
        if data[thing] != wanted
    ]


_MISSING = object()


def _look_up(results: Document, path: str) -> Any:
    """The entry at a dotted path, ``_MISSING`` where there is none."""
    found: Any = results
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return _MISSING
        found = found[name]
    return found


def _setting_reason(path: str, column: Column, found: Any, wanted: Any) -> str:
    """Say which setting is another one; an explainer's name is left out, so that alike explainers give one reason."""
    name = path.partition(".")[2].removeprefix(f"explainers.{column.explainer}.")
    if isinstance(found, list) and isinstance(wanted, list):
        return f"other {name} than published"
    return f"{name} {_show(found)}, published with {_show(wanted)}"


def _show(value: Any) -> str:
    if value is _MISSING:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace("null", "none")
