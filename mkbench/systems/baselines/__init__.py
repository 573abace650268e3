"""Training of the paper's baselines on frozen features, and their accuracy."""

from mkbench.systems.baselines.baseline_accuracy import BaselineAccuracy
from mkbench.systems.baselines.baseline_training import BaselineTraining
from mkbench.systems.baselines.cached_features import CachedFeatures

__all__ = ["BaselineAccuracy", "BaselineTraining", "CachedFeatures"]
