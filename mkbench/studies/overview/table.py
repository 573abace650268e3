"""Tables of what was run: runs, rules that applied, and provenance."""

from collections.abc import Sequence

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import estimator_name, explainer_label, explainer_names
from mkbench.studies.overview.study import RULES, applied_rules, data_sentences, provenance_entries
from mkbench.studies.presentation import Presentation
from mkbench.tables import Column, ResultTable


def _explainers(run: Run) -> str | None:
    return ", ".join(map(explainer_label, explainer_names(run.results))) or None


def runs_table(runs: Sequence[Run]) -> ResultTable:
    """Declare the table of what was run on what.

    Args:
        runs: finished runs.

    >>> [column.title for column in runs_table([]).shown][:5]
    ['model', 'system', 'data', 'classes', 'images']
    """
    columns = [
        Column("model", lambda run: run.label, text=True),
        Column("system", lambda run: run.system.replace("_", " "), text=True),
        Column("data", lambda run: run.results["data"]["name"], text=True),
        Column("classes", lambda run: run.results["data"]["classes"]),
        Column("images", lambda run: run.results["data"]["images"]),
        Column("unreadable", lambda run: len(run.results["data"]["unreadable"])),
        Column("explainers", _explainers, text=True),
        Column("estimator", lambda run: estimator_name(run.results), text=True),
        Column("weights", lambda run: "random" if run.results["model"]["random_weights"] else "trained", text=True),
        Column("parameters (M)", lambda run: run.results["model"]["parameters"] / 1e6, decimals=1),
        Column("precision", lambda run: run.results["model"]["precision"], text=True),
        Column("weights' fingerprint", lambda run: run.results["model"]["fingerprint"][:12], text=True),
    ]
    return ResultTable(columns, runs, title="Runs", notes=data_sentences(runs))


def rules_table(runs: Sequence[Run]) -> ResultTable:
    """Declare the table of rules for special cases that applied, as a count and a share of the images.

    Args:
        runs: finished runs.

    >>> rules_table([]).rows
    []
    """
    rows = [(run, *applied) for run in runs for applied in applied_rules(run)]
    columns = [
        Column("model", lambda row: row[0].label, text=True),
        Column("stage", lambda row: explainer_label(row[1]), text=True),
        Column("rule", lambda row: row[2], text=True),
        Column("times", lambda row: row[3]),
        Column("counted in", lambda row: RULES[row[2]].unit if row[2] in RULES else None, text=True),
        Column("share of images", _share, decimals=1, scale=100, unit=" %"),
        Column("meaning", lambda row: RULES[row[2]].meaning if row[2] in RULES else None, text=True),
    ]
    return ResultTable(
        columns, rows, title="Rules for special cases that applied", notes=[] if rows else ["None applied."]
    )


def _share(row: tuple[Run, str, str, int]) -> float | None:
    """Share of the images, of rules that are counted in images."""
    run, _, rule, count = row
    images = run.results["data"]["images"]
    return count / images if images and rule in RULES and RULES[rule].unit == "images" else None


def provenance_table(run: Run) -> ResultTable:
    """Declare the table of what is recorded of a run.

    Args:
        run: a finished run.
    """
    columns = [
        Column("entry", lambda row: row[0], text=True),
        Column("value", lambda row: row[1], text=True),
    ]
    return ResultTable(columns, provenance_entries(run), title=f"Provenance of {run.label}")


def present_overview(runs: Sequence[Run]) -> Presentation:
    """Return what was run, and which rules applied."""
    return Presentation("What was run", [runs_table(runs)], details=[rules_table(runs)])
