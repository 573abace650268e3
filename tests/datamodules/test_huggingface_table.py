from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mkbench.datamodules.huggingface_table import encoded_image, first_line, group_rows, import_library
from mkbench.errors import UsageError


@pytest.mark.parametrize("found", [None, ModuleType("datasets")])  # not installed; a folder of that name
def test_missing_library(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", found)
    with pytest.raises(UsageError, match=r"found none; install it with pip install 'mkbench\[data\]'\."):
        import_library()


def test_images_are_read_as_they_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"file")
    assert encoded_image({"bytes": b"cell", "path": "gone.png"}) == b"cell"
    assert encoded_image({"bytes": None, "path": str(tmp_path / "a.png")}) == b"file"
    for nothing in (None, {"bytes": None, "path": None}):
        assert encoded_image(nothing) == b""
    with pytest.raises(OSError, match="gone"):
        encoded_image({"bytes": None, "path": str(tmp_path / "gone.png")})


@pytest.mark.parametrize(
    ("classes", "count", "rows"),
    [([1, 0, 1, 3], 4, [[1], [0, 2], [], [3]]), ([0, 0], 1, [[0, 1]]), ([1], 3, [[], [0], []])],
)
def test_rows_of_a_class_are_ascending(classes: list[int], count: int, rows: list[list[int]]) -> None:
    assert [own.tolist() for own in group_rows(classes, count)] == rows


class DatasetGenerationError(Exception):
    """Named like the one of the library, which hides the reason."""


def test_reason_is_the_hidden_one() -> None:
    hiding = DatasetGenerationError("An error occurred")
    assert first_line(hiding) == "An error occurred"
    hiding.__cause__ = ValueError("no such column.\nTraceback")
    assert first_line(hiding) == "no such column"
    assert first_line(ValueError()) == "ValueError"
