"""Training of the paper's baselines on frozen features."""

from mkbench.systems.baselines.baseline_training import BaselineTraining
from mkbench.systems.baselines.cached_features import CachedFeatures

__all__ = ["BaselineTraining", "CachedFeatures"]
