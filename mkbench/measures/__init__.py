"""What is measured of explanations beyond mutual information; each is named in a configuration by ``class_path``."""

from mkbench.measures.base import Measure, MeasureContext
from mkbench.measures.calibration import Calibration
from mkbench.measures.kept_region import KeptRegion
from mkbench.measures.localisation import Localisation
from mkbench.measures.removal import Removal
from mkbench.measures.truth import Truth

__all__ = ["Calibration", "KeptRegion", "Localisation", "Measure", "MeasureContext", "Removal", "Truth"]
