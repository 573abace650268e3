"""Table of mutual information: a row for each model and explainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mkbench.concepts.controls import RANDOM, WHOLE_IMAGE
from mkbench.runs.results import (
    RANDOM_WEIGHTS,
    estimator_name,
    explainer_label,
    explainer_names,
    find_metric,
    find_shared_metric,
    model_label,
)
from mkbench.runs.schema import Environment, RunResults
from mkbench.studies.control_marks import gain_over, mark_notes, marks_of, missed_controls
from mkbench.studies.metric_columns import metric_column, own_columns, own_metrics
from mkbench.tables import Cell, Column, Layout, ResultTable, csv_bounds

Row = Mapping[str, Any]

_CHANCE_NOTE = "chance AUC: language concepts of other classes"
_AUC = "mutual_information_auc"
#: Keys of a row's estimates, with the metrics they are read from.
_METRICS = {
    "mutual_information": "mutual_information",
    "auc": _AUC,
    "chance": "mutual_information_auc_chance",
    "excess": "mutual_information_auc_excess",
    "grouped_mutual_information": "mutual_information_grouped",
    "grouped": "mutual_information_auc_grouped",
    "image_auc": "mutual_information_image_auc",
    "concepts": "concept_count",
    "hit_share": "hit_share",
    "language_precision": "language_precision",
    "language_precision_permuted": "language_precision_permuted",
}
#: Key of a row -> the control that the AUC of its explainer is compared with.
_GAINS = {"gained": WHOLE_IMAGE, "gained_over_random": RANDOM}
#: What a key of a row that not every table has means.
_EXPLAINED = {
    "gained": (
        "gained by parts: AUC minus that of as many descriptors nearest to the whole image, without parts, where all "
        "curves are padded to the longest of both"
    ),
    "image_auc": (
        "AUC: all curves padded with 0 to the longest of the set, so that a subset is on another scale; AUC per image: "
        "each curve as long as it is"
    ),
    "grouped": "AUC, concepts: descriptors that state the same count once",
    "concepts": "concepts N: different descriptors found in an image",
    "hit_share": "hits K / N: share of them that are language concepts of its class",
    "language_precision": "language precision: share of the language concepts that are true of the class",
}


def bench_rows(documents: Sequence[tuple[RunResults, Environment]]) -> list[dict[str, Any]]:
    """Collect the rows of the benchmark table, one for each model and explainer, in the order of the documents.

    Args:
        documents: (``results.json``, ``environment.json``) of each run, parsed.

    Returns:
        Rows with the keys ``run`` (index of the run folder), ``model``, ``random_weights``, ``parameters`` (millions),
        ``explainer`` (None for a run without one), ``top1`` (percent), ``mutual_information``, ``auc``, ``chance``,
        ``excess``, ``grouped_mutual_information``, ``grouped`` and ``image_auc`` (``Estimate`` in nats, None where the
        run has none), ``concepts``, ``hit_share``, ``language_precision`` and ``language_precision_permuted``,
        ``gained`` and ``gained_over_random`` (AUC minus that of a control), ``not_separated`` (metric -> controls),
        ``own`` (``OwnMetric`` by name), ``images_per_second`` (None where unknown) and ``estimator``.

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
        "estimator": estimator_name(results) or "unknown",
    }
    for key, metric in _METRICS.items():
        row[key] = find_shared_metric(results, metric, explainer)
    for key, control in _GAINS.items():
        row[key] = None if explainer is None else gain_over(results, _AUC, explainer, control)
    return {
        **row,
        "not_separated": {} if explainer is None else missed_controls(results, explainer),
        "own": own_metrics(results, explainer),
    }


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


def caption(rows: Sequence[Row], *, intervals: bool = True, beside: bool = True) -> str:
    r"""Say what the columns hold.

    Args:
        rows: from ``bench_rows``.
        intervals: whether the table shows them.
        beside: whether it has the columns beside MI and AUC.

    >>> print(caption([{"estimator": "shannon"}]).replace("; ", "\n"))
    MI and AUC in nats (estimator: shannon)
    95 % intervals over images (top-1: Wilson)
    chance AUC: language concepts of other classes.
    """
    estimators = "; ".join(sorted({row["estimator"] for row in rows}))
    estimators = estimators.replace("paper", "paper, an overlap score rather than Shannon information")
    about = "95 % intervals over images (top-1: Wilson)" if intervals else "a wider terminal shows 95 % intervals"
    explained = [text for key, text in _EXPLAINED.items() if beside and _has(rows, key)]
    return f"MI and AUC in nats (estimator: {estimators}); {'; '.join([about, _CHANCE_NOTE, *explained])}."


def _has(rows: Sequence[Row], key: str) -> bool:
    return any(row.get(key) is not None for row in rows)


def _marked(key: str) -> Callable[[Row], Cell]:
    """The estimate of a key, with marks of the controls that its metric does not separate."""

    def cell(row: Row) -> Cell:
        return Cell(row[key], marks=marks_of(row.get("not_separated", {}), _METRICS[key]))

    return cell


def _missed(key: str) -> Column:
    """The same marks for programs, by the names of the controls."""
    name = {"excess": "excess_auc", "grouped": "grouped_auc"}.get(key, key)
    return Column(
        None,
        lambda row: " ".join(row["not_separated"].get(_METRICS[key], ())),
        csv=f"{name}_not_separated_from",
    )


def information_columns(rows: Sequence[Row], *, console: Mapping[str, str]) -> list[Column]:
    """Return the columns of the estimates in nats.

    Args:
        rows: from ``bench_rows``, which decide the decimals.
        console: key of a column -> its heading on a terminal, where it is another one.
    """
    names = {"mutual_information": "mutual_information", "auc": "auc", "chance": "chance_auc", "excess": "excess_auc"}
    decimals = nat_decimals(rows)
    return [
        metric_column(
            _METRICS[key], _marked(key), decimals=decimals, csv=csv_bounds(name), console_heading=console.get(key)
        )
        for key, name in names.items()
    ]


def _beside(rows: Sequence[Row]) -> list[Column]:
    """The columns that stand beside MI and AUC, those of which some row has a value."""
    decimals = nat_decimals(rows)
    gained = Column(
        "gained by parts",
        "gained",
        decimals=decimals,
        signed=True,
        csv=csv_bounds("gained_by_parts"),
        console_heading="gained\nby parts",
    )
    columns = {
        "gained": gained,
        "image_auc": metric_column(
            "mutual_information_image_auc", "image_auc", decimals=decimals, csv=csv_bounds("image_auc")
        ),
        "grouped": metric_column(
            _METRICS["grouped"], _marked("grouped"), decimals=decimals, csv=csv_bounds("grouped_auc")
        ),
        "concepts": metric_column("concept_count", "concepts", csv=csv_bounds("concept_count")),
        "hit_share": metric_column("hit_share", "hit_share", csv=csv_bounds("hit_share")),
        "language_precision": metric_column(
            "language_precision", "language_precision", csv=csv_bounds("language_precision")
        ),
    }
    return [column for key, column in columns.items() if _has(rows, key)]


def _for_programs() -> list[Column]:
    names = {
        "gained_over_random": "gained_over_random_parts",
        "grouped_mutual_information": "grouped_mutual_information",
        "language_precision_permuted": "language_precision_permuted",
    }
    return [
        *(Column(None, key, csv=csv_bounds(name)) for key, name in names.items()),
        *map(_missed, ("mutual_information", "auc", "excess", "grouped")),
        Column(None, "estimator", csv="estimator"),
    ]


def top1_column(*, console: str) -> Column:
    """Return the column of accuracy in percent, with its heading on a terminal."""
    return metric_column("top1", "top1", scale=1, csv=csv_bounds("top1_percent"), console_heading=console)


def bench_notes(rows: Sequence[Row]) -> list[str]:
    """Say what the marks mean, as far as there are any.

    >>> bench_notes([{"not_separated": {"mutual_information_auc": ["whole-image"]}}])[0][:38]
    '§ no better than the whole image witho'
    """
    marked = [_METRICS[key] for key in ("mutual_information", "auc", "excess", "grouped")]
    return mark_notes(
        {control for row in rows for name in marked for control in row.get("not_separated", {}).get(name, ())}
    )


def bench_table(
    rows: Sequence[Row], *, block: Literal["model", "explainer"] = "model", notes: Sequence[str] = ()
) -> ResultTable:
    """Declare the benchmark table.

    A narrow terminal gets what stands beside MI and AUC in a second table, then in two; then no intervals; a still
    narrower one neither sizes nor speeds, so that names and numbers stay whole.

    Args:
        rows: from ``bench_rows``.
        block: consecutive rows that agree in this stand together.
        notes: lines below the caption.

    >>> [column.title for column in bench_table([]).shown]
    ['model', 'params (M)', 'top-1 % ↑', 'parts', 'MI ↑', 'AUC ↑', 'chance AUC', 'excess AUC ↑', 'images/s ↑']
    """
    size = Column(
        "params (M)", "parameters", decimals=1, csv="parameters_millions", console_heading="params\n(M)", wide_only=True
    )
    speed = Column(
        "images/s",
        "images_per_second",
        decimals=1,
        higher_is_better=True,
        csv="images_per_second",
        console_heading="images\n/s ↑",
        wide_only=True,
    )
    top1 = top1_column(console="top-1\n% ↑")
    information = information_columns(rows, console={"chance": "chance\nAUC", "excess": "excess\nAUC ↑"})
    beside, own = _beside(rows), own_columns(rows, lambda row: row["own"])
    about = [MODEL, CSV_MODEL, CSV_RANDOM_WEIGHTS, size, CSV_EXPLAINER, top1, PARTS]
    marks = bench_notes(rows)
    return ResultTable(
        [*about, *information, *beside, *own, speed, *_for_programs()],
        rows,
        notes=[caption(rows), *marks, *notes],
        short_notes=[caption(rows, intervals=False), *marks, *notes],
        notes_width="terminal" if beside else "table",
        section=MODEL.cell if block == "model" else PARTS.cell,
        layouts=_layouts([size, top1, *information, speed], beside, own),
    )


def _layouts(first: Sequence[Column], beside: Sequence[Column], own: Sequence[Column]) -> list[Layout]:
    two, three = (
        [[column.title for column in part] for part in parts if part]
        for parts in ((first, [*beside, *own]), (first, beside[:3], [*beside[3:], *own]))
    )
    whole = [Layout("below"), *([Layout("below", parts) for parts in (two, three)] if beside or own else [])]
    return [*whole, *(Layout("none", parts, narrow) for narrow in (False, True) for parts in (two, three))]
