"""examples/tour.ipynb runs, and its kept outputs are those of a run: small, and of no one's machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "tour.ipynb"


def outputs(cell: dict[str, Any]) -> list[tuple[str, ...]]:
    """Kinds of the outputs of a cell."""
    return [(output["output_type"], *sorted(output.get("data", {}))) for output in cell.get("outputs", [])]


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_every_cell_was_run_in_order() -> None:
    cells = code_cells()
    assert len(cells) > 5
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [number for number, cell in enumerate(cells) if not cell["outputs"]] == []
    kinds = {kind for cell in cells for output in outputs(cell) for kind in output}
    assert {"image/png", "text/html", "stream"} <= kinds
    assert "error" not in kinds
    assert [output for cell in cells for output in cell["outputs"] if output.get("name") == "stderr"] == []


def test_outputs_are_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < 500_000
    said = re.sub(r'"image/png": "[^"]*"', "", text)
    assert re.findall(r"(?<![\w./<])/(?:home|root|tmp|usr|opt|Users|work|mnt|var|private)\b|[A-Z]:\\\\", said) == []


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with nothing else; every cell gives outputs of the kinds that are kept."""
    nbclient = pytest.importorskip("nbclient", reason="runs notebooks: pip install 'mkbench[dev]'")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")  # a widget for progress bars
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = code_cells()
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    run = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [outputs(cell) for cell in run] == [outputs(cell) for cell in kept]
    assert run[0].outputs[0].text.splitlines()[0] == "predicted: fribble"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["tour", "tour-heads"]
