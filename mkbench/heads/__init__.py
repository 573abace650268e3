"""Attention heads of CLIP image encoders: decomposition, TEXTSPAN, search, pruning and segmentation, in pure torch."""

from mkbench.heads.ablation import mean_ablate, reconstruct_heads, replace_heads
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.decomposition import Decomposer, decompose
from mkbench.heads.head_bank import HeadBank
from mkbench.heads.head_pruning import RandomSets, matched_random_heads, matched_random_sets, prune_heads
from mkbench.heads.head_pruning_effects import PruningEffect, pruning_effects
from mkbench.heads.segmentation import Segmentation, attention_maps, class_maps, random_heads, segment
from mkbench.heads.text_span import TextSpan, textspan

__all__ = [
    "Decomposer",
    "HeadBank",
    "HeadContributions",
    "PruningEffect",
    "RandomSets",
    "Segmentation",
    "TextSpan",
    "attention_maps",
    "class_maps",
    "decompose",
    "matched_random_heads",
    "matched_random_sets",
    "mean_ablate",
    "prune_heads",
    "pruning_effects",
    "random_heads",
    "reconstruct_heads",
    "replace_heads",
    "segment",
    "textspan",
]
