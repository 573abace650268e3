"""Published tables, which are data (``assets/published/<name>.json``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mkbench.errors import DataError, UsageError, did_you_mean
from mkbench.studies.reproduction.table_form import find_table_fault
from mkbench.text_files import parse_json

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "published"


@dataclass(frozen=True)
class Column:
    """A column of a published table.

    Attributes:
        label: its heading.
        quantity: what columns of one kind share, such as ``auc``; names a tolerance for all of them.
        metric: the metric of ``results.json`` that it shows.
        explainer: the explainer of that metric, None for metrics of the model alone.
        scale: factor from the metric's unit to the table's.
        tolerance: the largest difference, in the table's unit, that still is a match.
        decimals: of the printed numbers.
        not_comparable: why no run can be compared with this column; empty where one can.
        requires: dotted path into ``results.json`` -> the value that this column alone needs there; the explainer's
            name replaces ``{explainer}``.
    """

    label: str
    quantity: str
    metric: str
    explainer: str | None
    scale: float
    tolerance: float
    decimals: int
    not_comparable: str = ""
    requires: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedLine:
    """A published line through the models of a family: top-1 accuracy (percent) = slope * AUC (nats) + intercept.

    Attributes:
        family: of the image towers, as in ``models.json``.
        slope: points of accuracy for a nat.
        intercept: accuracy at an AUC of 0.
    """

    family: str
    slope: float
    intercept: float


@dataclass(frozen=True)
class PublishedTable:
    """A published table, and what a run must be like to be compared with it.

    Attributes:
        name: its file's stem.
        title: the data set in words.
        source: the paper and the table in it.
        note: what is worth knowing before reading a comparison with it.
        data_names: names of the data set, ``data.name`` of ``results.json``.
        classes: number of its classes.
        images: number of its images.
        requires: dotted path into ``results.json`` -> the value that every column needs there.
        requires_of_explainers: likewise for columns with an explainer, whose name replaces ``{explainer}``.
        columns: the columns by their keys.
        rows: label of a model -> key of a column -> published number.
        line: a line that the paper fits to its models, if any.
        variants: paths of requirements that tell apart the variants of a bench: a column that requires another value
            there is of another run, and no number of this one. Empty where one run has all columns.
    """

    name: str
    title: str
    source: str
    note: str
    data_names: tuple[str, ...]
    classes: int
    images: int
    requires: Mapping[str, Any]
    requires_of_explainers: Mapping[str, Any]
    columns: Mapping[str, Column]
    rows: Mapping[str, Mapping[str, float]]
    line: PublishedLine | None
    variants: tuple[str, ...] = ()

    def requirements(self, column: Column) -> dict[str, Any]:
        """Return what a run must have been set to for a column: dotted path into ``results.json`` -> value.

        >>> table = load_published("mutual-knowledge-table3")
        >>> "settings.refine" in table.requirements(table.columns["top1"])
        False
        >>> table.requirements(table.columns["auc_pca"])["settings.explainers.pca.num_parts"]
        5
        """
        of_explainer = {} if column.explainer is None else self.requires_of_explainers
        own = {**of_explainer, **column.requires}
        return {**self.requires, **{path.format(explainer=column.explainer): value for path, value in own.items()}}

    def variant(self, column: Column) -> dict[str, Any]:
        """Return the requirements of a column that say which variant of a bench it is of.

        >>> table = load_published("mutual-knowledge-ablations")
        >>> table.variant(table.columns["nearest"])
        {'settings.features': 'tokens', 'settings.saliency': 'spectral', 'settings.refine': 'none'}
        """
        paths = {path.format(explainer=column.explainer) for path in self.variants}
        return {path: value for path, value in self.requirements(column).items() if path in paths}


def published_names() -> list[str]:
    """List the names of the published tables.

    >>> "mutual-knowledge-table3" in published_names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_published(name: str) -> PublishedTable:
    """Read a published table.

    Raises:
        UsageError: no table of this name.

    >>> load_published("mutual-knowledge-table3").rows["ViT-B/16"]["auc_pca"]
    3.62
    """
    if name not in published_names():
        raise UsageError(f"Expected a published table, found {name!r}; {did_you_mean(name, published_names())}.")
    return read_table(FOLDER / f"{name}.json")


def read_table(path: Path) -> PublishedTable:
    """Read a file of a table: one of the package, or a user's own of the same form.

    Raises:
        UsageError: no readable file.
        DataError: it holds anything else.

    >>> read_table(FOLDER / "mutual-knowledge-food101.json").name
    'mutual-knowledge-food101'
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"Expected a table at {path}, found no readable file ({error.strerror}); check --against."
        ) from error
    except ValueError as error:
        raise DataError(f"Expected a table as JSON in {path}, found something else ({error}); correct it.") from error
    fault = find_table_fault(content)
    if fault is not None:
        raise DataError(f"Expected in the table {path} {fault}; `mkbench verify --help` says where one to copy lies.")
    return _build_table(path.stem, content)


def _build_table(name: str, content: dict[str, Any]) -> PublishedTable:
    """Build a table of a document that has the form of one."""
    data, line, variants = content.pop("data"), content.pop("line", None), content.pop("variants", ())
    columns = {key: Column(**column) for key, column in content.pop("columns").items()}
    return PublishedTable(
        name=name,
        data_names=tuple(data["names"]),
        classes=data["classes"],
        images=data["images"],
        columns=columns,
        line=None if line is None else PublishedLine(**line),
        variants=tuple(variants),
        **content,
    )


def with_tolerances(table: PublishedTable, tolerances: Mapping[str, float]) -> PublishedTable:
    """Return a table with other tolerances; a column's own comes before that of its quantity.

    Args:
        table: any.
        tolerances: key of a column, or a quantity that columns share, -> largest difference in the table's unit.

    Raises:
        UsageError: the table has neither a column nor a quantity of a name.

    Example:
        >>> table = with_tolerances(load_published("mutual-knowledge-table3"), {"auc": 0.1, "auc_pca": 0.2})
        >>> {key: column.tolerance for key, column in table.columns.items()}
        {'top1': 0.3, 'mi_pca': 0.05, 'mi_kmeans': 0.05, 'auc_pca': 0.2, 'auc_kmeans': 0.1}
    """
    known = dict.fromkeys([column.quantity for column in table.columns.values()] + list(table.columns))
    unknown = [name for name in tolerances if name not in known]
    if unknown:
        raise UsageError(f"Expected a tolerance for one of {', '.join(known)}, found {unknown[0]!r}.")
    columns = {
        key: replace(column, tolerance=tolerances.get(key, tolerances.get(column.quantity, column.tolerance)))
        for key, column in table.columns.items()
    }
    return replace(table, columns=columns)


def with_columns(table: PublishedTable, keys: Sequence[str]) -> PublishedTable:
    """Return a table with some of its columns, in the table's order.

    Raises:
        UsageError: the table has no such column.

    >>> list(with_columns(load_published("mutual-knowledge-food101"), ["top1"]).columns)
    ['top1']
    """
    unknown = [key for key in keys if key not in table.columns]
    if unknown:
        raise UsageError(f"Expected columns out of {', '.join(table.columns)}, found {unknown[0]!r}.")
    return replace(table, columns={key: column for key, column in table.columns.items() if key in keys})


def published_line(data_name: str) -> PublishedLine | None:
    """Return the line that a paper fits on a data set, None where there is none.

    >>> published_line("imagenet-val")
    PublishedLine(family='ViT', slope=11.24, intercept=25.97)
    >>> published_line("critters") is None
    True
    """
    tables = (load_published(name) for name in published_names())
    return next((table.line for table in tables if data_name in table.data_names and table.line is not None), None)
