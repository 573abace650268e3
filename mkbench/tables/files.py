"""Files of a table, one for each format."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.atomic_files import written_whole
from mkbench.tables.console import to_console
from mkbench.tables.csv_text import to_csv
from mkbench.tables.latex import to_latex
from mkbench.tables.markdown import to_markdown
from mkbench.tables.result_table import ResultTable

_WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}


def write_table(table: ResultTable, folder: Path, stem: str, kinds: Sequence[str] = ("csv", "md")) -> None:
    """Write a table as files of one stem; the same table gives the same bytes.

    Args:
        table: the table.
        folder: where to write; made where it is missing.
        stem: of the files.
        kinds: suffixes of the files: ``csv``, ``md`` or ``tex``.

    Raises:
        KeyError: another suffix.
        OSError: the disk is full or the folder cannot be written.

    >>> import tempfile
    >>> from mkbench.tables.result_table import Column
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(ResultTable([Column("n", "n")], [{"n": 3}]), Path(folder), "counts", ["md"])
    ...     print((Path(folder) / "counts.md").read_text(encoding="utf-8").splitlines()[-1])
    | 3 |
    """
    for kind in kinds:
        with written_whole(folder / f"{stem}.{kind}") as temporary:
            temporary.write_text(_WRITERS[kind](table), encoding="utf-8")


def publish_table(
    table: ResultTable, folder: Path | None, stem: str, kinds: Sequence[str] = ("csv", "md"), *, width: int = 120
) -> Group:
    """Write a table as files of one stem, and return it for the console.

    Args:
        table: the table.
        folder: where to write; made where it is missing; None writes nothing.
        stem: of the files.
        kinds: suffixes of the files: ``csv``, ``md`` or ``tex``.
        width: columns of the terminal.

    Raises:
        KeyError: another suffix.
        OSError: the disk is full or the folder cannot be written.

    >>> from mkbench.tables.result_table import Column
    >>> len(publish_table(ResultTable([Column("n", "n")], [{"n": 3}]), None, "counts").renderables)
    1
    """
    if folder is not None:
        write_table(table, folder, stem, kinds)
    return to_console(table, width=width)
