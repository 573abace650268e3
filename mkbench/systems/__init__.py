"""LightningModules: one for each question asked of a model."""

from mkbench.systems.description_zero_shot import DescriptionZeroShot
from mkbench.systems.head_decomposition import HeadDecomposition
from mkbench.systems.head_segmentation import HeadSegmentation
from mkbench.systems.mutual_knowledge import MutualKnowledge

__all__ = ["DescriptionZeroShot", "HeadDecomposition", "HeadSegmentation", "MutualKnowledge"]
