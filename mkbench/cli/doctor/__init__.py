"""What to check before a long run: one module for each area, and the examination that goes through them."""

from mkbench.cli.doctor.examination import examine
from mkbench.cli.doctor.findings import Finding

__all__ = ["Finding", "examine"]
