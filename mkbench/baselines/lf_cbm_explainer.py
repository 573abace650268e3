"""LF-CBM as an explainer: the descriptors that speak for the class that the head predicts, without parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mkbench.baselines.lf_cbm import LFCBM
from mkbench.baselines.trained_explainer import load_head_of
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import unit_rows
from mkbench.concepts.whole_image import heaviest_descriptors, without_parts


class LFCBMExplainer:
    """LF-CBM as an explainer: what each descriptor adds to the logit of the predicted class, above 0; no parts.

    The contribution, and importance, of a descriptor is its standardised cosine with the image times the class's
    weight on it, one of the few that are not 0.

    Source: Oikarinen et al., ICLR 2023, arXiv 2304.06129, section 4; what is simplified stands in :class:`LFCBM`.

    Args:
        file: the trained head.
        num_concepts: most descriptors of an image.

    Raises:
        ValueError: if ``num_concepts`` is below 1.
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """

    name = LFCBM.name

    def __init__(self, file: Path, *, num_concepts: int = 15) -> None:
        if num_concepts < 1:
            raise ValueError(f"num_concepts must be at least 1, found {num_concepts}")
        self.trained, self.head = load_head_of(file, LFCBM)
        self.max_concepts = num_concepts

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers, the file by its content; and the accuracy of the head."""
        return {"file_sha256": self.trained.sha256, "top1": self.trained.top1, "num_concepts": self.max_concepts}

    def require_run(self, description: Mapping[str, Any], *, features: str) -> None:
        """Check that a run fits the head, which looks at no patch features.

        Raises:
            UsageError: another bank or class list than the head was trained with.
        """
        self.trained.require_run(description, features=None)

    @torch.no_grad()
    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group.

        Returns:
            `GroupExplanation` without parts; its ``fallbacks`` count ``no_concepts``, images for whose class no
            descriptor speaks.

        Raises:
            UsageError: a model or descriptors other than the head was trained on.
        """
        if context.backbone is not None:
            self.trained.require_backbone(context.backbone)
        self.trained.require_concepts(context.prompted_embeddings)
        with context.stage("assign"):
            head = self.head.to(context.image_embedding.device)
            scores = head.standardise(unit_rows(context.image_embedding) @ head.concepts.T)  # (images, bank)
            predicted = head(context.features, context.image_embedding).argmax(dim=1)
            contributions = (scores * head.sparse_weights[predicted]).double()
            vision = heaviest_descriptors(contributions.clamp(min=0), self.max_concepts)
        return without_parts(self.name, context, vision, {"no_concepts": int((vision.counts == 0).sum())})
