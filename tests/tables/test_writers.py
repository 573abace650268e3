"""Tables are written in one place for each format."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mkbench

ROOT = Path(mkbench.__file__).parent
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in (ROOT, ROOT / "callbacks", ROOT / "datamodules")
    for path in folder.rglob("*.py")
}


def calls(source: str) -> list[str]:
    """Names of all that is called, such as ``csv.writer`` or ``Table.grid``."""
    return [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def texts(source: str) -> list[str]:
    """All literal texts but docstrings and comments."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in statements]
    return [node.value for node in constants if isinstance(node.value, str)]


def imported(source: str) -> set[str]:
    """All that is imported, such as ``rich.table.Table``."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_the_whole_package_is_read() -> None:
    assert {"tables/console.py", "cli/main.py", "callbacks/visualiser.py", "datamodules/base.py"} <= SOURCES.keys()


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ({"csv.writer", "csv.DictWriter", "pyarrow.csv.write_csv"}, "tables/csv_text.py"),
        ({"Table", "Table.grid", "rich.table.Table", "rich.table.Table.grid"}, "tables/console.py"),
    ],
)
def test_one_call_writes(names: set[str], place: str) -> None:
    assert [path for path, source in SOURCES.items() for call in calls(source) if call in names] == [place]


def test_one_module_knows_the_tables_of_rich() -> None:
    knowing = {path for path, source in SOURCES.items() for name in imported(source) if name.startswith("rich.table")}
    assert knowing == {"tables/console.py"}


@pytest.mark.parametrize(
    ("sign", "place"),
    [("--:", "tables/markdown.py"), (r"\begin{tabular}", "tables/latex.py"), ("<table", "tables/html_text.py")],
)
def test_one_text_writes(sign: str, place: str) -> None:
    assert [path for path, source in SOURCES.items() for text in texts(source) if sign in text] == [place]
