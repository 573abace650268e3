"""Systems: the LightningModules that evaluate or train a model."""

from mkbench.systems.baseline_accuracy import BaselineAccuracy
from mkbench.systems.baseline_training import BaselineTraining
from mkbench.systems.descriptor_zero_shot import DescriptorZeroShot
from mkbench.systems.head_decomposition import HeadDecomposition
from mkbench.systems.head_segmentation import HeadSegmentation
from mkbench.systems.mutual_knowledge import MutualKnowledge

__all__ = [
    "BaselineAccuracy",
    "BaselineTraining",
    "DescriptorZeroShot",
    "HeadDecomposition",
    "HeadSegmentation",
    "MutualKnowledge",
]
