"""What is measured of explanations beyond mutual information; each is named in a configuration by ``class_path``."""

from mkbench.measures.base import Measure, MeasureContext
from mkbench.measures.removal import Removal

__all__ = ["Measure", "MeasureContext", "Removal"]
