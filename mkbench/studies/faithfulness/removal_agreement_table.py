"""Table of the rank agreement between blurred and exact removal."""

from collections.abc import Sequence

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.studies.faithfulness.removal_agreement import RemovalAgreement, blur_finding
from mkbench.tables import BELOW, Column, Layout, ResultTable, csv_bounds

_ABOUT = (
    "Kendall's tau of the explainers' means between parts blurred and parts taken away (1: the same order), with 95 % "
    "intervals over images; explainers: those with parts, controls among them; images: those of which all explainers "
    "have parts. Decided: pairs of explainers of which the 95 % interval of the paired difference, each alone, leaves "
    "out 0 with exact removal; of these, those that blur leaves undecided and those it decides the other way round."
)
#: Columns of each of two tables on a narrow terminal.
_NARROW = (
    ("explainers", "images", "Kendall's tau"),
    ("decided", "undecided by blur", "opposite by blur"),
)


def removal_agreement_table(agreements: Sequence[RemovalAgreement]) -> ResultTable:
    """Declare the table of the rank agreement between blurred and exact removal.

    Args:
        agreements: from ``removal_agreements``.

    >>> [column.title for column in removal_agreement_table([]).shown][2:5]
    ['explainers', 'images', "Kendall's tau"]
    """
    columns = [
        Column("model", lambda row: row.model, text=True, csv="model"),
        Column("metric", lambda row: CATALOGUE[row.metric].display.heading, text=True),
        Column(None, lambda row: row.metric, csv="metric"),
        Column("explainers", lambda row: row.explainers, csv="explainers"),
        Column("images", lambda row: row.images, csv="images"),
        Column(
            "Kendall's tau", lambda row: row.tau, decimals=2, console_heading="Kendall's\ntau", csv=csv_bounds("tau")
        ),
        Column("decided", lambda row: row.decided, csv="decided"),
        Column(
            "undecided by blur",
            lambda row: row.undecided,
            console_heading="undecided\nby blur",
            csv="undecided_by_blur",
        ),
        Column(
            "opposite by blur", lambda row: row.opposite, console_heading="opposite\nby blur", csv="opposite_by_blur"
        ),
    ]
    return ResultTable(
        columns,
        agreements,
        title="Order of explainers: blurred against exact removal",
        notes=[blur_finding(agreements), _ABOUT],
        notes_width="terminal",
        section=lambda row: row.model,
        layouts=(Layout(), BELOW, Layout("below", _NARROW)),
    )
