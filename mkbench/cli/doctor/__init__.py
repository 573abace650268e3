"""Pre-flight checks of a run: one module for each area."""

from mkbench.cli.doctor.examination import examine
from mkbench.cli.doctor.findings import Finding

__all__ = ["Finding", "examine"]
