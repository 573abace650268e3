"""Tables of images in which one thing is changed: scores beside their controls, and J of each thing."""

from collections.abc import Sequence

from mkbench.metrics.functional.intervention import FACTORS
from mkbench.studies.control_marks import mark_notes
from mkbench.studies.faithfulness.study import CHANGED, Row
from mkbench.studies.faithfulness.table import shown_column
from mkbench.studies.mutual_knowledge.table import MODEL, PARTS
from mkbench.tables import ResultTable

#: Scores, each beside what it is where change and truth are paired wrongly.
_SCORES = (
    *("intervention_j", "intervention_j_mispaired", "intervention_hit_rate", "intervention_false_alarm"),
    *("intervention_direction", "intervention_focus", "intervention_focus_mispaired"),
    *("intervention_score_auc", "intervention_score_auc_mispaired"),
)
_MISPAIRED = "Mispaired, the control: the same change against the truth of the other changes of the same image."


def interventions_table(rows: Sequence[Row]) -> ResultTable:
    """Declare the table of scores of changed images, beside those of mispaired changes.

    Args:
        rows: from ``faithfulness_rows``, those with such scores.

    >>> [column.title for column in interventions_table([]).shown]
    ['model', 'parts']
    """
    return _table(rows, _SCORES, "Images in which one thing is changed", [CHANGED, _MISPAIRED])


def factors_table(rows: Sequence[Row]) -> ResultTable:
    """Declare the table of J of each thing that is changed.

    Args:
        rows: from ``faithfulness_rows``, those with such scores.

    >>> factors_table([]).title
    'J by what is changed'
    """
    return _table(rows, [f"intervention_j_{factor}" for factor in FACTORS], "J by what is changed", [])


def _table(rows: Sequence[Row], metrics: Sequence[str], title: str, about: list[str]) -> ResultTable:
    shown = [metric for metric in metrics if any(metric in row["estimates"] for row in rows)]
    missed = {control for row in rows for metric in shown for control in row["not_separated"].get(metric, ())}
    columns = [MODEL, PARTS, *map(shown_column, shown)]
    return ResultTable(columns, rows, title=title, notes=[*about, *mark_notes(missed)], section=MODEL.cell)
