"""LightningModules: one for each question asked of a model."""

from mkbench.systems.mutual_knowledge import MutualKnowledge

__all__ = ["MutualKnowledge"]
