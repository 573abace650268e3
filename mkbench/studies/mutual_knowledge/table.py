"""The benchmark table: a row for each model and explainer, for the console, Markdown, CSV and LaTeX."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import (
    ABSENT,
    RANDOM_WEIGHTS,
    Estimate,
    bound_cells,
    explainer_label,
    explainer_names,
    find_metric,
    model_label,
)
from mkbench.runs.schema import Environment, RunResults
from mkbench.tables.fitting import first_fitting

Row = Mapping[str, Any]

HEADERS = (
    *("model", "params (M)", "top-1 % ↑", "parts"),
    *("MI ↑", "AUC ↑", "chance AUC", "excess AUC ↑", "images/s ↑"),
)
_CHANCE_NOTE = "chance AUC: language concepts of other classes"
_LEFT = ("model", "parts")  # aligned left; numbers are aligned right
#: Keys of a row's estimates in nats, with the metrics they are read from.
_INFORMATION = {
    "mutual_information": "mutual_information",
    "auc": "mutual_information_auc",
    "chance": "mutual_information_auc_chance",
    "excess": "mutual_information_auc_excess",
}
_CSV_COLUMNS = {
    "top1": "top1_percent",
    "mutual_information": "mutual_information",
    "auc": "auc",
    "chance": "chance_auc",
    "excess": "excess_auc",
}


def bench_rows(bundles: Sequence[tuple[RunResults, Environment]]) -> list[dict[str, Any]]:
    """Collect the rows of the benchmark table, one for each model and explainer, in the order of the bundles.

    Args:
        bundles: (``results.json``, ``environment.json``) of each run, parsed.

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
    for run, (results, environment) in enumerate(bundles):
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

    >>> nat_decimals([{"mutual_information": Estimate(0.3), "auc": None}])
    3
    """
    values = [abs(row[key].value) for row in rows for key in ("mutual_information", "auc") if row[key] is not None]
    largest = max(values, default=1.0)
    return 2 if largest >= 1 else 3 if largest >= 0.1 else 4


def show_estimate(estimate: Estimate | None, decimals: int, separator: str = " ") -> str:
    """Write a value with its interval; only the value where there is none, a dash where there is neither.

    >>> show_estimate(Estimate(7.123, (6.9, 7.3)), 2), show_estimate(Estimate(7.123), 2), show_estimate(None, 2)
    ('7.12 [6.90, 7.30]', '7.12', '–')
    """
    if estimate is None:
        return ABSENT
    value, *bounds = (fixed(number, decimals) for number in (estimate.value, *(estimate.interval or ())))
    return f"{value}{separator}[{', '.join(bounds)}]" if bounds else value


def fixed(number: float, decimals: int) -> str:
    """Write a number with a fixed count of decimals, never as minus zero.

    >>> fixed(-0.001, 2), fixed(-0.25, 1)
    ('0.00', '-0.2')
    """
    return f"{round(number, decimals) + 0.0:.{decimals}f}"


def _cells(rows: Sequence[Row], separator: str = " ") -> list[list[str]]:
    """The printed cells, in the order of ``HEADERS``; the separator stands before intervals and remarks."""
    decimals = nat_decimals(rows)
    cells = []
    for row in rows:
        model = model_cell(row, separator)
        parts = ABSENT if row["explainer"] is None else explainer_label(row["explainer"])
        speed = ABSENT if row["images_per_second"] is None else f"{row['images_per_second']:.1f}"
        information = [show_estimate(row[key], decimals, separator) for key in _INFORMATION]
        top1 = show_estimate(row["top1"], 1, separator)
        cells.append([model, f"{row['parameters']:.1f}", top1, parts, *information, speed])
    return cells


def model_cell(row: Row, separator: str = " ") -> str:
    """Write the name of a row's model, and whether its weights are random; the name itself may say so already.

    >>> model_cell({"model": "ViT-B-16 (random weights)", "random_weights": True})
    'ViT-B-16 (random weights)'
    """
    name: str = row["model"].removesuffix(f" {RANDOM_WEIGHTS}")
    return name + (f"{separator}{RANDOM_WEIGHTS}" if row["random_weights"] else "")


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


def to_console(
    rows: Sequence[Row], *, block: Literal["model", "parts"] = "model", notes: Sequence[str] = (), width: int = 120
) -> Table:
    """Render the rows for a terminal; intervals stand below their values.

    A narrow terminal gets no intervals, a still narrower one neither sizes nor speeds, so that names and numbers stay
    whole.

    Args:
        rows: from ``bench_rows``.
        block: consecutive rows that agree in this column stand together.
        notes: lines below the caption.
        width: columns of the terminal.

    >>> to_console([]).row_count
    0
    """
    layouts = ((True, ()), (False, ()), (False, ("params (M)", "images/s ↑")))
    tables = (
        _console_table(rows, block=block, notes=notes, intervals=intervals, left_out=left_out)
        for intervals, left_out in layouts
    )
    return first_fitting(tables, width)


def _console_table(
    rows: Sequence[Row],
    *,
    block: Literal["model", "parts"],
    notes: Sequence[str],
    intervals: bool,
    left_out: Sequence[str],
) -> Table:
    """Draw the table with some columns left out."""
    about = Text("\n".join([caption(rows, intervals=intervals), *notes]))
    table = Table(box=box.SIMPLE_HEAD, caption=about, caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    shown = [index for index, header in enumerate(HEADERS) if header not in left_out]
    for index in shown:
        header = HEADERS[index]
        # Text objects are shown as they are; a plain string would be read as markup.
        name = Text(re.sub(r" (?=\(M\)|% |AUC)|(?=/s)", "\n", header))
        table.add_column(name, justify="left" if header in _LEFT else "right", overflow="fold")
    cells = _cells(rows, separator="\n")
    column = HEADERS.index(block)
    for index, row in enumerate(cells):
        last = index + 1 == len(cells) or cells[index + 1][column] != row[column]
        texts = [row[place] if intervals else row[place].partition("\n[")[0] for place in shown]
        table.add_row(*map(Text, texts), end_section=last)
    return table


def to_markdown(rows: Sequence[Row]) -> str:
    """Render the rows as a Markdown table with a caption.

    >>> print(to_markdown([]).splitlines()[0])
    | model | params (M) | top-1 % ↑ | parts | MI ↑ | AUC ↑ | chance AUC | excess AUC ↑ | images/s ↑ |
    """
    return markdown_table(HEADERS, _cells(rows), left=_LEFT) + f"\n{caption(rows)}\n"


def markdown_table(headers: Sequence[str], cells: Sequence[Sequence[str]], *, left: Sequence[str]) -> str:
    r"""Write a Markdown table; a vertical bar in a cell is escaped.

    >>> print(markdown_table(["a"], [["x|y"]], left=["a"]), end="")
    | a |
    | :-- |
    | x\|y |
    """
    rules = [":--" if header in left else "--:" for header in headers]
    lines = [headers, rules, *([cell.replace("|", "\\|") for cell in row] for row in cells)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_csv(rows: Sequence[Row]) -> str:
    """Render the rows for programs: full precision, bounds of intervals in columns of their own, absent values empty.

    >>> to_csv([]).startswith("model,random_weights,parameters_millions,explainer,top1_percent,top1_percent_low")
    True
    """
    header = ["model", "random_weights", "parameters_millions", "explainer"]
    header += [f"{column}{bound}" for column in _CSV_COLUMNS.values() for bound in ("", "_low", "_high")]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*header, "images_per_second", "estimator"])
    for row in rows:
        line = [row["model"], str(row["random_weights"]).lower(), row["parameters"], row["explainer"]]
        for key in _CSV_COLUMNS:
            estimate: Estimate | None = row[key]
            line += bound_cells(estimate)
        writer.writerow([*line, row["images_per_second"], row["estimator"]])
    return out.getvalue()


_LATEX_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"},
    # A bracket at the start of a row would be read as an option of the line break before it.
    **{"[": "{[}", "]": "{]}", "<": r"\textless{}", ">": r"\textgreater{}", "↑": r"$\uparrow$", ABSENT: "--"},
    **{"↓": r"$\downarrow$", "†": r"$^\dagger$", "‡": r"$^\ddagger$"},
}


def escape_latex(text: str) -> str:
    r"""Escape what LaTeX reads as commands.

    >>> print(escape_latex("a_b & 5 % ↑"))
    a\_b \& 5 \% $\uparrow$
    """
    return re.sub("|".join(re.escape(sign) for sign in _LATEX_SIGNS), lambda match: _LATEX_SIGNS[match[0]], text)


def to_latex(rows: Sequence[Row]) -> str:
    r"""Render the rows as a LaTeX ``tabular`` for the package ``booktabs``; the caption is a comment above it.

    >>> print(to_latex([]).splitlines()[1])
    \begin{tabular}{lrrlrrrrr}
    """
    lines = [" & ".join(escape_latex(header) for header in HEADERS) + r" \\"]
    body = [" & ".join(latex_cell(cell) for cell in row) + r" \\" for row in _cells(rows)]
    head = [f"% {caption(rows)}", r"\begin{tabular}{lrrlrrrrr}", r"\toprule"]
    return "\n".join([*head, *lines, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def latex_cell(cell: str) -> str:
    r"""Escape a cell; numbers get a typographic minus, and their intervals a small font.

    >>> print(latex_cell("-0.5† [-1.0, 0.0]"))
    $-$0.5$^\dagger$ {\scriptsize[$-$1.0, 0.0]}
    """
    estimate = re.fullmatch(r"(-?[\d.]+)([†‡]*)(?: (\[.*\]))?", cell)
    if estimate is None:
        return escape_latex(cell)
    value, marks, interval = estimate.groups(default="")
    small = f" {{\\scriptsize{interval}}}" if interval else ""
    return value.replace("-", "$-$") + escape_latex(marks) + small.replace("-", "$-$")
