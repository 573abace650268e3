"""What to check before a long run: one module for each area, and the examination that goes through them."""

from mkbench.doctor.examination import examine
from mkbench.doctor.findings import Finding

__all__ = ["Finding", "examine"]
