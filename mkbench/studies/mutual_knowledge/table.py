"""Table of mutual information: a row for each model and explainer."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mkbench.runs.results import RANDOM_WEIGHTS, explainer_label, explainer_names, find_metric, model_label
from mkbench.runs.schema import Environment, RunResults
from mkbench.tables import BELOW, NO_INTERVALS, Cell, Column, Layout, ResultTable, csv_bounds

Row = Mapping[str, Any]

_CHANCE_NOTE = "chance AUC: language concepts of other classes"
#: Keys of a row's estimates in nats, with the metrics they are read from.
_INFORMATION = {
    "mutual_information": "mutual_information",
    "auc": "mutual_information_auc",
    "chance": "mutual_information_auc_chance",
    "excess": "mutual_information_auc_excess",
}


def bench_rows(documents: Sequence[tuple[RunResults, Environment]]) -> list[dict[str, Any]]:
    """Collect the rows of the benchmark table, one for each model and explainer, in the order of the documents.

    Args:
        documents: (``results.json``, ``environment.json``) of each run, parsed.

    Returns:
        Rows with the keys ``run`` (index of the run folder), ``model``, ``random_weights``, ``parameters`` (millions),
        ``explainer`` (None for a run without one), ``top1`` (percent), ``mutual_information``, ``auc``, ``chance``,
        ``excess`` (``Estimate`` in nats, None where the run has none), ``images_per_second`` (None where unknown) and
        ``estimator``.

    Example:
        >>> results = {
        ...     "model": {"name": "vit", "label": "ViT-B/16", "parameters": 149_620_737, "random_weights": False},
        ...     "settings": {"estimator": "paper"},
        ...     "metrics": [{"name": "mutual_information_auc", "explainer": "pca", "value": 7.1, "interval": None}],
        ... }
        >>> row, = bench_rows([(results, {"images_per_second": 12.5})])
        >>> row["model"], row["explainer"], row["auc"], row["chance"], row["images_per_second"]
        ('ViT-B/16', 'pca', Estimate(value=7.1, interval=None), None, 12.5)
    """
    rows = []
    for run, (results, environment) in enumerate(documents):
        explainers: list[str | None] = [*explainer_names(results)]
        rows += [{"run": run, **_row(results, environment, explainer)} for explainer in explainers or [None]]
    return rows


def _row(results: RunResults, environment: Environment, explainer: str | None) -> dict[str, Any]:
    top1 = find_metric(results, "top1")
    row: dict[str, Any] = {
        "model": model_label(results),
        "random_weights": bool(results["model"]["random_weights"]),
        "parameters": results["model"]["parameters"] / 1e6,
        "explainer": explainer,
        "top1": None if top1 is None else top1.scaled(100),
        "images_per_second": environment.get("images_per_second"),
        "estimator": results["settings"]["estimator"],
    }
    for key, metric in _INFORMATION.items():
        row[key] = None if explainer is None else find_metric(results, metric, explainer)
    return row


def nat_decimals(rows: Sequence[Row]) -> int:
    """Return the decimals of the columns in nats: two, and more where the rows' largest estimate is below 1 or 0.1.

    >>> from mkbench.runs.results import Estimate
    >>> nat_decimals([{"mutual_information": Estimate(0.3), "auc": None}])
    3
    """
    values = [abs(row[key].value) for row in rows for key in ("mutual_information", "auc") if row[key] is not None]
    largest = max(values, default=1.0)
    return 2 if largest >= 1 else 3 if largest >= 0.1 else 4


def model_cell(row: Row) -> Cell:
    """Return the name of a row's model, and whether its weights are random; the name itself may say so already.

    >>> model_cell({"model": "ViT-B-16 (random weights)", "random_weights": True})[:3]
    ('ViT-B-16', '', '(random weights)')
    """
    name = row["model"].removesuffix(f" {RANDOM_WEIGHTS}")
    return Cell(name, remark=RANDOM_WEIGHTS if row["random_weights"] else "")


def parts_label(row: Row) -> str | None:
    """Return the printed name of a row's explainer; None for a row without one.

    >>> parts_label({"explainer": "pca"}), parts_label({"explainer": None})
    ('PCA', None)
    """
    return None if row["explainer"] is None else explainer_label(row["explainer"])


#: Columns of print that tell the rows of an explainer apart.
MODEL, PARTS = Column("model", model_cell, text=True), Column("parts", parts_label, text=True)
#: Columns of the CSV that do.
CSV_MODEL, CSV_EXPLAINER = Column(None, "model", csv="model"), Column(None, "explainer", csv="explainer")
CSV_RANDOM_WEIGHTS = Column(None, "random_weights", csv="random_weights")


def caption(rows: Sequence[Row], *, intervals: bool = True) -> str:
    r"""Say what the columns hold.

    >>> print(caption([{"estimator": "shannon"}]).replace("; ", "\n"))
    MI and AUC in nats (estimator: shannon)
    95 % intervals over images
    chance AUC: language concepts of other classes.
    """
    notes = {"paper": "paper, an overlap score rather than Shannon information"}
    estimators = "; ".join(notes.get(name, name) for name in sorted({str(row["estimator"]) for row in rows}))
    about = "95 % intervals over images" if intervals else "a wider terminal shows 95 % intervals"
    return f"MI and AUC in nats (estimator: {estimators}); {about}; {_CHANCE_NOTE}."


def information_columns(rows: Sequence[Row], *, console: Mapping[str, str]) -> list[Column]:
    """Return the columns of the estimates in nats.

    Args:
        rows: from ``bench_rows``, which decide the decimals.
        console: key of a column -> its heading on a terminal, where it is another one.
    """
    declared = (
        ("mutual_information", "MI", True, "mutual_information"),
        ("auc", "AUC", True, "auc"),
        ("chance", "chance AUC", None, "chance_auc"),
        ("excess", "excess AUC", True, "excess_auc"),
    )
    decimals = nat_decimals(rows)
    return [
        Column(
            heading,
            key,
            decimals=decimals,
            higher_is_better=better,
            csv=csv_bounds(name),
            console_heading=console.get(key),
        )
        for key, heading, better, name in declared
    ]


def top1_column(*, console: str) -> Column:
    """Return the column of accuracy in percent, with its heading on a terminal."""
    return Column(
        "top-1 %", "top1", decimals=1, higher_is_better=True, csv=csv_bounds("top1_percent"), console_heading=console
    )


def bench_table(
    rows: Sequence[Row], *, block: Literal["model", "explainer"] = "model", notes: Sequence[str] = ()
) -> ResultTable:
    """Declare the benchmark table.

    A narrow terminal gets no intervals, a still narrower one neither sizes nor speeds, so that names and numbers stay
    whole.

    Args:
        rows: from ``bench_rows``.
        block: consecutive rows that agree in this stand together.
        notes: lines below the caption.

    >>> [column.title for column in bench_table([]).shown]
    ['model', 'params (M)', 'top-1 % ↑', 'parts', 'MI ↑', 'AUC ↑', 'chance AUC', 'excess AUC ↑', 'images/s ↑']
    """
    columns = [
        *(MODEL, CSV_MODEL, CSV_RANDOM_WEIGHTS),
        Column(
            "params (M)",
            "parameters",
            decimals=1,
            csv="parameters_millions",
            console_heading="params\n(M)",
            wide_only=True,
        ),
        CSV_EXPLAINER,
        top1_column(console="top-1\n% ↑"),
        PARTS,
        *information_columns(rows, console={"chance": "chance\nAUC", "excess": "excess\nAUC ↑"}),
        Column(
            "images/s",
            "images_per_second",
            decimals=1,
            higher_is_better=True,
            csv="images_per_second",
            console_heading="images\n/s ↑",
            wide_only=True,
        ),
        Column(None, "estimator", csv="estimator"),
    ]
    return ResultTable(
        columns,
        rows,
        notes=[caption(rows), *notes],
        short_notes=[caption(rows, intervals=False), *notes],
        section=MODEL.cell if block == "model" else PARTS.cell,
        layouts=(BELOW, NO_INTERVALS, Layout("none", narrow=True)),
    )
