"""Table of the analysis of concept banks."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

from rich.console import Group

from mkbench.studies.banks.study import BankRow
from mkbench.tables import BELOW, BESIDE, Column, ResultTable, csv_bounds, to_console, write_table


def bank_table(rows: Sequence[BankRow], *, encoder: str) -> ResultTable:
    """Declare the table: a line for each bank and each of its controls.

    Args:
        rows: from ``analyse_banks``.
        encoder: name of the sentence encoder.

    >>> [column.title for column in bank_table([], encoder="vit").shown]
    ['bank', 'descriptors', 'classes', 'in all', 'distinct', 'InterDiv', 'IntraDiv', 'top-1 %', 'top-5 %']
    """
    columns = [
        Column("bank", attrgetter("bank"), text=True, once=True, csv="bank"),
        Column("descriptors", attrgetter("way"), text=True, csv="descriptors"),
        Column("classes", attrgetter("classes"), csv="classes"),
        Column("in all", attrgetter("descriptors"), csv="pairs"),
        Column("distinct", attrgetter("distinct"), decimals=3, csv="distinct"),
        Column("InterDiv", attrgetter("inter"), decimals=3, csv="interdiv"),
        Column("IntraDiv", attrgetter("intra"), decimals=3, csv="intradiv"),
        Column("top-1 %", attrgetter("top1"), decimals=2, whole=True, csv=csv_bounds("top1")),
        Column("top-5 %", attrgetter("top5"), decimals=2, whole=True, csv=csv_bounds("top5")),
        Column(None, lambda row: encoder, csv="encoder"),
    ]
    notes = [
        "InterDiv and IntraDiv: mean cosine of descriptors of different classes and of one class, encoded by "
        f"{encoder}; lower is more diverse. Another encoder gives another scale.",
        "Shuffled: descriptors of other classes; random: as many words at random. A bank that is no more accurate than "
        "these says nothing of its classes, however diverse it is.",
    ]
    return ResultTable(columns, rows, notes=notes, section=attrgetter("bank"), layouts=(BESIDE, BELOW))


def write_banks(rows: Sequence[BankRow], folder: Path | None, *, encoder: str, width: int = 120) -> Group:
    """Write ``banks.csv`` and ``banks.md``, and return the table for the console.

    Args:
        rows: from ``analyse_banks``.
        folder: where to write; made where it is missing; None writes nothing.
        encoder: name of the sentence encoder.
        width: columns of the terminal.
    """
    table = bank_table(rows, encoder=encoder)
    if folder is not None:
        write_table(table, folder, "banks", ("csv", "md"))
    return to_console(table, width=width)
