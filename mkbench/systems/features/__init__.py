"""Features of frozen models, cached on disk."""

from mkbench.systems.features.cached_features import CachedFeatures

__all__ = ["CachedFeatures"]
