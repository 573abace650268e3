"""Table of the analysis of concept banks."""

from collections.abc import Sequence
from operator import attrgetter

from mkbench.studies.banks.study import BankRow
from mkbench.studies.metric_columns import metric_column
from mkbench.tables import BELOW, BESIDE, Column, ResultTable, csv_bounds


def bank_table(rows: Sequence[BankRow], *, encoder: str) -> ResultTable:
    """Declare the table: a line for each bank and each of its controls.

    Args:
        rows: from ``analyse_banks``.
        encoder: name of the sentence encoder.

    >>> [column.title for column in bank_table([], encoder="vit").shown]
    ['bank', 'descriptors', 'classes', 'in all', 'distinct', 'InterDiv', 'IntraDiv', 'top-1 % ↑', 'top-5 % ↑']
    """
    columns = [
        Column("bank", attrgetter("bank"), text=True, once=True, csv="bank"),
        Column("descriptors", attrgetter("way"), text=True, csv="descriptors"),
        Column("classes", attrgetter("classes"), csv="classes"),
        Column("in all", attrgetter("descriptors"), csv="pairs"),
        Column("distinct", attrgetter("distinct"), decimals=3, csv="distinct"),
        Column("InterDiv", attrgetter("inter"), decimals=3, csv="interdiv"),
        Column("IntraDiv", attrgetter("intra"), decimals=3, csv="intradiv"),
        *(
            metric_column(name, attrgetter(name), scale=1, decimals=2, whole=True, csv=csv_bounds(name))
            for name in ("top1", "top5")
        ),
        Column(None, lambda row: encoder, csv="encoder"),
    ]
    notes = [
        "InterDiv and IntraDiv: mean cosine of descriptors of different classes and of one class, encoded by "
        f"{encoder}; lower is more diverse. Another encoder gives another scale.",
        "Shuffled: descriptors of other classes; random: as many words at random. A bank that is no more accurate than "
        "these says nothing of its classes, however diverse it is.",
    ]
    return ResultTable(columns, rows, notes=notes, section=attrgetter("bank"), layouts=(BESIDE, BELOW))
