"""Concepts of images and texts: pure torch, without a trainer."""

from mkbench.concepts.attention_rollout import AttentionRollout
from mkbench.concepts.attn_lrp import AttnLRP
from mkbench.concepts.bank import ConceptBank, load_bank
from mkbench.concepts.clip_surgery import ClipSurgery
from mkbench.concepts.cluster_importance import ClusterImportance
from mkbench.concepts.components import largest_components
from mkbench.concepts.concept_groups import cluster_groups, label_groups, load_groups
from mkbench.concepts.controls import CONTROLS
from mkbench.concepts.descriptors import (
    LOGIT_SCALE,
    Assignment,
    VisionConcepts,
    assign_descriptors,
    assign_descriptors_batch,
    language_concepts,
    merge_descriptors,
)
from mkbench.concepts.ellipse import Ellipse, fit_ellipse
from mkbench.concepts.explainer import PARTITIONS, Explainer, PartsExplainer
from mkbench.concepts.explanation import ExplainedPart, Explanation, GroupExplanation
from mkbench.concepts.explanations import Explanations
from mkbench.concepts.foreground import Foreground, Stage, find_foreground, no_stage
from mkbench.concepts.grad_cam import GradCam
from mkbench.concepts.grad_eclip import GradEclip
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.legrad import LeGrad
from mkbench.concepts.occlusion import Occlusion
from mkbench.concepts.part_sizes import PartSizes
from mkbench.concepts.parts import kmeans_parts, part_masks, pca_parts
from mkbench.concepts.prompts import PROMPTS, PromptedRegions, blur, render_prompts, render_prompts_batch
from mkbench.concepts.random_parts import RandomParts
from mkbench.concepts.refine import REFINEMENTS, RefinedForeground, Refinement, refine_crf, refine_foreground
from mkbench.concepts.region_encoders import REGION_ENCODERS, RegionEncoder, RegionEncoderName, choose_region_encoder
from mkbench.concepts.saliency import spectral_saliency
from mkbench.concepts.saliency_parts import ContrastiveMethod, SaliencyMethod, SaliencyParts
from mkbench.concepts.splice import SpLiCE
from mkbench.concepts.text import TextEncoder, bank_embeddings, class_embeddings
from mkbench.concepts.transport import sinkhorn
from mkbench.concepts.upscale import covered_pixels, upscale_nearest
from mkbench.concepts.whole_image import WholeImage

__all__ = [
    "CONTROLS",
    "LOGIT_SCALE",
    "PARTITIONS",
    "PROMPTS",
    "REFINEMENTS",
    "REGION_ENCODERS",
    "Assignment",
    "AttentionRollout",
    "AttnLRP",
    "ClipSurgery",
    "ClusterImportance",
    "ConceptBank",
    "ContrastiveMethod",
    "Ellipse",
    "ExplainedPart",
    "Explainer",
    "Explanation",
    "Explanations",
    "Foreground",
    "GradCam",
    "GradEclip",
    "GroupContext",
    "GroupExplanation",
    "LeGrad",
    "Occlusion",
    "PartSizes",
    "PartsExplainer",
    "PromptedRegions",
    "RandomParts",
    "RefinedForeground",
    "Refinement",
    "RegionEncoder",
    "RegionEncoderName",
    "SaliencyMethod",
    "SaliencyParts",
    "SpLiCE",
    "Stage",
    "TextEncoder",
    "VisionConcepts",
    "WholeImage",
    "assign_descriptors",
    "assign_descriptors_batch",
    "bank_embeddings",
    "blur",
    "choose_region_encoder",
    "class_embeddings",
    "cluster_groups",
    "covered_pixels",
    "find_foreground",
    "fit_ellipse",
    "kmeans_parts",
    "label_groups",
    "language_concepts",
    "largest_components",
    "load_bank",
    "load_groups",
    "merge_descriptors",
    "no_stage",
    "part_masks",
    "pca_parts",
    "refine_crf",
    "refine_foreground",
    "render_prompts",
    "render_prompts_batch",
    "sinkhorn",
    "spectral_saliency",
    "upscale_nearest",
]
