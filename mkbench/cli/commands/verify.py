"""`mkbench verify`: compare finished runs with a published table.

Exit codes: 0 if every number matches; 3 if one does not, or cannot be compared: a verification that could not be made
is not a success; 2 for wrong usage.
"""

import argparse
import math
from pathlib import Path

from rich.console import Console

from mkbench.cli.run_parts import add_trust_option
from mkbench.errors import UsageError
from mkbench.studies.reproduction.published import (
    FOLDER,
    PublishedTable,
    load_published,
    published_names,
    read_table,
    with_columns,
    with_tolerances,
)

HELP = (
    "compare finished runs with a published table, one of your own or earlier runs. Every number of every run is a "
    "match, a mismatch or not comparable. Exit codes: 0 all match, 3 a mismatch or a number that cannot be compared, 1 "
    "a damaged run, 2 wrong usage."
)
FOUND_MISMATCH = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a model's run, or of a bench")
    # Options without a default of use to a reader have none.
    parser.add_argument(
        "--against",
        required=True,
        default=argparse.SUPPRESS,
        metavar="TABLE",
        help=f"{', '.join(published_names())}; or a table of your own, FILE.json of the form of those in {FOLDER}; or "
        "the folder of earlier runs",
    )
    parser.add_argument(
        "--tolerance",
        action="append",
        default=argparse.SUPPRESS,
        metavar="NAME=VALUE",
        help="largest difference that is a match, of a column (auc_pca=0.1) or of alike columns (auc=0.1); repeatable",
    )
    parser.add_argument(
        "--column",
        action="append",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="compare this column (auc_pca) alone; repeatable",
    )
    parser.add_argument("--complete", action="store_true", help="also exit with 3 if a model of the table was not run")
    parser.add_argument(
        "--out", type=Path, default=argparse.SUPPRESS, help="folder for verify.csv, verify.md and verify.json"
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the comparison; exit code 0 if every number matches, else 3.

    Raises:
        UsageError: an unknown table, column or tolerance, or a folder without a finished run.
    """
    # These take a second to import.
    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415
    from mkbench.studies.reproduction.study import verify  # noqa: PLC0415
    from mkbench.studies.reproduction.table import show_verification, verification_files  # noqa: PLC0415

    table = _load_table(options.against, trust=options.trust_config)
    table = with_tolerances(table, read_tolerances(getattr(options, "tolerance", [])))
    if hasattr(options, "column"):
        table = with_columns(table, options.column)
    verification = verify(table, open_runs(options.runs, trust=options.trust_config))
    if hasattr(options, "out"):
        verification_files(verification, options.out, complete=options.complete)
    console = Console()
    console.print(show_verification(verification, complete=options.complete, width=console.width))
    return 0 if verification.verified(complete=options.complete) else FOUND_MISMATCH


def _load_table(against: str, *, trust: bool) -> PublishedTable:
    """Return a published table by its name, a user's own from its file, or one of earlier runs."""
    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415
    from mkbench.studies.reproduction.earlier_runs import table_of_runs  # noqa: PLC0415

    path = Path(against)
    if against not in published_names() and path.is_dir():
        return table_of_runs(open_runs([path], trust=trust), path)
    own = against not in published_names() and path.suffix == ".json"
    return read_table(path) if own else load_published(against)


def read_tolerances(words: list[str]) -> dict[str, float]:
    """Read tolerances as they are written on the command line; of one name, the last counts.

    Raises:
        UsageError: a word is not ``NAME=VALUE`` with a number of 0 or more.

    >>> read_tolerances(["auc=0.1", "top1=0.5"])
    {'auc': 0.1, 'top1': 0.5}
    """
    tolerances = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not 0 <= number < math.inf:
            raise UsageError(f"Expected --tolerance NAME=VALUE such as auc=0.1, found {word!r}.")
        tolerances[name] = number
    return tolerances
