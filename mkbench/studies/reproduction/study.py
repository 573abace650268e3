"""Verification of runs against a published table: match, mismatch or not comparable."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mkbench.backbones import model_entries
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import RANDOM_WEIGHTS, Estimate, find_metric, model_label
from mkbench.runs.schema import RunResults
from mkbench.studies.reproduction.published import PublishedTable
from mkbench.studies.reproduction.reasons import look_up, reasons_not_comparable
from mkbench.studies.reproduction.remarks import control_estimates, control_lines, fallback_lines, padding_lines

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
        controls: the same metric of the controls that the run has, in the table's unit: control -> number.
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
    controls: Mapping[str, Estimate] = field(default_factory=dict)

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
        not_measured: (model, column) of published numbers of which no run was given although the model was run: of
            variants that are missing.
        remarks: what is to be known of the runs: missing controls, rules for special cases, and the scale of subsets.
    """

    table: PublishedTable
    cells: tuple[Cell, ...]
    not_run: tuple[str, ...]
    not_measured: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of cells by verdict, and of models that were not run."""
        counts = Counter(cell.verdict for cell in self.cells)
        return {verdict: counts[verdict] for verdict in VERDICTS} | {"not run": len(self.not_run)}

    def verified(self, *, complete: bool = False) -> bool:
        """Whether every cell is a match and, if ``complete``, every model of the table was run in every variant."""
        missing = self.not_run or self.not_measured
        return all(cell.verdict == "match" for cell in self.cells) and not (complete and missing)


def verify(table: PublishedTable, runs: Sequence[Run]) -> Verification:
    """Compare the metrics of runs with the numbers of a published table.

    A cell compares only where the run is of a model of the table with its trained weights, on all images of the
    table's data set, and with every setting that its metric depends on; the reasons say what is otherwise. It is a
    match if measured and published differ by no more than the column's tolerance. The uncertainty of the measured
    number plays no part: both are of the same images.

    Where a table has variants, a run is compared with the columns of its own variant alone. One that is none of the
    published variants is compared with all columns, so that the reasons say in what it differs.

    Args:
        table: see ``load_published``.
        runs: finished runs, at least one.

    Returns:
        The cells, run by run in the order given.

    Raises:
        ValueError: if there is no run.

    Example:
        >>> from pathlib import Path
        >>> from mkbench.studies.reproduction.published import load_published
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
    models = [row_label(run.results) for run in runs]
    keys = [_columns_of(table, run.results, model) for run, model in zip(runs, models, strict=True)]
    cells = [_cell(table, run, model, key) for run, model, own in zip(runs, models, keys, strict=True) for key in own]
    measured = {(model, key) for model, own in zip(models, keys, strict=True) for key in own}
    not_measured = [
        (model, key)
        for model, row in table.rows.items()
        for key in table.columns
        if model in models and key in row and (model, key) not in measured
    ]
    not_run = [model for model in table.rows if model not in models]
    remarks = (*control_lines(table, runs), *fallback_lines(table, runs), *padding_lines(table, runs))
    return Verification(table, tuple(cells), tuple(not_run), tuple(not_measured), remarks)


def _columns_of(table: PublishedTable, results: RunResults, model: str) -> list[str]:
    """The columns that a run is compared with: of its model, and of its variant if that is a published one."""
    keys = [key for key in table.columns if key in table.rows.get(model, table.columns)]
    own = [
        key
        for key in keys
        if all(look_up(results, path) == wanted for path, wanted in table.variant(table.columns[key]).items())
    ]
    return own or keys


def row_label(results: RunResults) -> str:
    """Return what published tables call the model of a run, whether or not its weights are random."""
    name = str(results["model"]["name"]).removesuffix(f" {RANDOM_WEIGHTS}")
    labels = {entry.name: entry.label for entry in model_entries()}
    return labels.get(name, model_label(results).removesuffix(f" {RANDOM_WEIGHTS}"))


def _cell(table: PublishedTable, run: Run, model: str, key: str) -> Cell:
    column = table.columns[key]
    estimate = find_metric(run.results, column.metric, column.explainer)
    measured = None if estimate is None else estimate.scaled(column.scale)
    published = table.rows.get(model, {}).get(key)
    reasons = tuple(reasons_not_comparable(table, column, run.results, model, measured))
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
        controls=control_estimates(run.results, column),
    )
