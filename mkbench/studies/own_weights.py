"""Check that a run is read again with the weights that it was made with."""

from pathlib import Path

from mkbench.errors import DataError
from mkbench.runs.schema import RunResults
from mkbench.systems.base import BenchmarkSystem


def require_own_weights(run: Path, results: RunResults, system: BenchmarkSystem) -> None:
    """Check that a system has the weights that a run was made with.

    Args:
        run: folder of the run.
        results: its ``results.json``.
        system: built again.

    Raises:
        DataError: it has others.
    """
    if results["model"]["fingerprint"] != system.backbone.fingerprint:
        raise DataError(
            f"Expected {system.backbone.name} with the weights that {run} was made with, found others; restore them, "
            "or run `mkbench predict` again with --results.overwrite true."
        )
