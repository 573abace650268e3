"""LightningModules: one for each question asked of a model."""

from mkbench.systems.description_zero_shot import DescriptionZeroShot
from mkbench.systems.mutual_knowledge import MutualKnowledge

__all__ = ["DescriptionZeroShot", "MutualKnowledge"]
