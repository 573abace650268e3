"""What the attention heads of an image encoder say: pure torch, without a trainer."""

from mkbench.heads.ablation import mean_ablate, reconstruct_heads, replace_heads
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.decomposition import Decomposer, decompose
from mkbench.heads.text_span import TextSpan, textspan

__all__ = [
    "Decomposer",
    "HeadContributions",
    "TextSpan",
    "decompose",
    "mean_ablate",
    "reconstruct_heads",
    "replace_heads",
    "textspan",
]
