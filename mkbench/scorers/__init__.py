"""Scorers: values of explanations beyond mutual information, each named in a configuration by ``class_path``."""

from mkbench.scorers.base import Scorer, ScorerContext
from mkbench.scorers.calibration import Calibration
from mkbench.scorers.ground_truth import GroundTruth
from mkbench.scorers.intervention import InterventionScorer
from mkbench.scorers.kept_region import KeptRegion
from mkbench.scorers.localisation import Localisation
from mkbench.scorers.removal import Removal
from mkbench.scorers.stability import Stability

__all__ = [
    "Calibration",
    "GroundTruth",
    "InterventionScorer",
    "KeptRegion",
    "Localisation",
    "Removal",
    "Scorer",
    "ScorerContext",
    "Stability",
]
