"""Trained baselines of the paper: heads on frozen features, and the explainers that they become."""

from mkbench.baselines.attention_explainer import MMCBMExplainer, MMProtoSimExplainer
from mkbench.baselines.base import Head, HeadInputs
from mkbench.baselines.feature_maps import FeatureMaps
from mkbench.baselines.feature_maps_explainer import FeatureMapsExplainer
from mkbench.baselines.lf_cbm import LFCBM
from mkbench.baselines.lf_cbm_explainer import LFCBMExplainer
from mkbench.baselines.linear_probe import LinearProbe
from mkbench.baselines.mm_cbm import MMCBM
from mkbench.baselines.mm_protosim import MMProtoSim
from mkbench.baselines.trained_baseline import HEADS, TrainedHead, load_head, save_head
from mkbench.baselines.trained_explainer import TrainedExplainer

__all__ = [
    "HEADS",
    "LFCBM",
    "MMCBM",
    "FeatureMaps",
    "FeatureMapsExplainer",
    "Head",
    "HeadInputs",
    "LFCBMExplainer",
    "LinearProbe",
    "MMCBMExplainer",
    "MMProtoSim",
    "MMProtoSimExplainer",
    "TrainedExplainer",
    "TrainedHead",
    "load_head",
    "save_head",
]
