"""Files of the analysis of concept banks."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.studies.banks.study import BankRow
from mkbench.studies.banks.table import bank_table
from mkbench.tables import publish_table


def write_banks(rows: Sequence[BankRow], folder: Path | None, *, encoder: str, width: int = 120) -> Group:
    """Write ``banks.csv`` and ``banks.md``, and return the table for the console.

    Args:
        rows: from ``analyse_banks``.
        folder: where to write; made where it is missing; None writes nothing.
        encoder: name of the sentence encoder.
        width: columns of the terminal.
    """
    return publish_table(bank_table(rows, encoder=encoder), folder, "banks", width=width)
