from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_runs import write_object, write_regions

from mkbench.errors import DataError
from mkbench.report.part_overlay import PartShape, read_overlay


def test_shapes_lie_in_each_panel(tmp_path: Path) -> None:
    """Of a figure of 500 by 250 pixels, 1000 by 500 units: panels of 200 by 200 at (0, 50) and (500, 50)."""
    path = write_regions(tmp_path / "sample.png", "wings")
    overlay = read_overlay(path, width=500, height=250)
    assert overlay is not None
    assert (overlay.height, overlay.below) == (500, 250)
    first = "M0.0 50.0L40.0 50.0L40.0 90.0L0.0 90.0Z"
    assert overlay.parts == (PartShape(1, ("wings",), f"{first}M500.0 50.0L540.0 50.0L540.0 90.0L500.0 90.0Z"),)


def test_image_without_parts_has_no_shapes(tmp_path: Path) -> None:
    overlay = read_overlay(write_regions(tmp_path / "sample.png"), width=500, height=250)
    assert overlay is not None
    assert overlay.parts == ()


def part(corner: list[Any]) -> dict[str, Any]:
    return {"parts": [{"number": 1, "descriptors": [], "outlines": [[corner]]}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "schema version 1, found 2"),
        ({"panels": []}, "a panel, found none"),
        ({"panels": [[0.0, 0.1, 0.2]]}, r"panels\[0\]"),
        ({"panels": [[0.0, 0.1, 0.2, 1.5]]}, "shares of 0 to 1, found 1.5"),
        ({"parts": [{"number": "1", "descriptors": [], "outlines": []}]}, "number to be an integer, found a string"),
        ({"parts": [{"number": 1, "descriptors": [2], "outlines": []}]}, "to be a string, found an integer"),
        (part([0.5, '0" onload=x']), "to be a number, found a string"),
        (part([0.5, -0.1]), "shares of 0 to 1, found -0.1"),
        (part([0.5, float("nan")]), "shares of 0 to 1, found nan"),
        (part([0.5, float("inf")]), "shares of 0 to 1, found inf"),
    ],
)
def test_damaged_file_is_named_with_the_fault(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write_regions(tmp_path / "sample.png", "wings", **changes)
    with pytest.raises(DataError, match=rf"Expected in .*sample\.json .*{said}"):
        read_overlay(path, width=500, height=250)


@pytest.mark.parametrize("content", [[], "parts", None])
def test_file_of_something_else_is_named(tmp_path: Path, content: Any) -> None:
    write_object(tmp_path / "sample.json", content)
    with pytest.raises(DataError, match=r"Expected a JSON object in .*sample.json"):
        read_overlay(tmp_path / "sample.json", width=500, height=250)
