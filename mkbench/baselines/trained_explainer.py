"""Base class of explainers made of trained heads: file, checks, and parts with descriptors from patch scores."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from mkbench.baselines.base import Head
from mkbench.baselines.trained_baseline import TrainedHead, load_head
from mkbench.concepts.descriptors import VisionConcepts
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.part_sizes import PartSizes
from mkbench.concepts.parts import part_masks
from mkbench.concepts.prompts import PROMPTS
from mkbench.concepts.region_encoders import RegionPrompts, embed_parts
from mkbench.concepts.upscale import has_pixels
from mkbench.errors import UsageError

#: Images that a head looks at at once: it needs (images, bank, patches) numbers.
_CHUNK = 16

H = TypeVar("H", bound=Head)


class FoundParts(NamedTuple):
    """Parts and concepts that a head finds in images.

    Attributes:
        labels: (B, N) int64 part of every patch, -1 where it belongs to none.
        descriptor_ids: (B, L, k) int64, -1 where there is none and for a part without patches.
        vision: the descriptors of all parts, most important first.
    """

    labels: Tensor
    descriptor_ids: Tensor
    vision: VisionConcepts


def load_head_of(file: Path, kind: type[H]) -> tuple[TrainedHead, H]:
    """Read a trained head of a given class.

    Raises:
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """
    trained = load_head(file)
    if type(trained.head) is not kind:
        found = trained.head.name
        raise UsageError(f"Expected a head {kind.name} in {file}, found {found}; choose a file of {kind.name}.")
    return trained, trained.head


class TrainedExplainer(PartSizes, ABC, Generic[H]):
    """An explainer made of a head that `mkbench fit` trained.

    The pixels of a part are its patches, upscaled; the foreground of the group is not looked at. A part is embedded by
    its prompted images, as the parts of `PartsExplainer` are, so that their order of removal compares. Unlike there,
    the number of a part says how important it is in its image, not where it recurs in others.

    Args:
        file: the trained head.
        kind: the class of the head.
        num_parts: most parts L of an image; None: as many as the run says, 5 without a run.
        topk: most descriptors k of a part; None: as there, 3.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: if a number is below 1 or a prompt is unknown.
        UsageError: there is no such file, or it holds another head.
        DataError: the file is damaged.
    """

    def __init__(
        self,
        file: Path,
        kind: type[H],
        *,
        num_parts: int | None,
        topk: int | None,
        prompts: Sequence[str] = PROMPTS,
        chunk: int = 96,
    ) -> None:
        super().__init__(num_parts=num_parts, topk=topk)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, found {chunk}")
        self.trained, self.head = load_head_of(file, kind)
        self.regions, self.chunk = RegionPrompts(prompts), chunk

    @property
    def name(self) -> str:
        """Name of the explainer in results: that of its head."""
        return self.head.name

    @property
    def max_concepts(self) -> int:
        """Most vision concepts of an image: k for each of the L parts."""
        return self.num_parts * self.topk

    @property
    def top1(self) -> float:
        """Accuracy of the head itself on its test images, 0 to 1; a row of the paper's Table 5."""
        return self.trained.top1

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers, the file by its content; and the accuracy of the head."""
        return {
            "file_sha256": self.trained.sha256,
            "top1": self.top1,
            "num_parts": self.num_parts,
            "topk": self.topk,
            "prompts": list(self.regions.prompts),
        }

    def require_run(self, description: Mapping[str, Any], *, features: str) -> None:
        """Check that a run fits the head.

        Raises:
            UsageError: another bank, class list or kind of features than the head was trained with.
        """
        self.trained.require_run(description, features=features)

    @torch.no_grad()
    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group.

        Returns:
            `GroupExplanation`; its `fallbacks` count `no_part`, images without any part, and `contour_box`, parts
            whose ring comes from a bounding box.

        Raises:
            UsageError: features or descriptors of another model or bank than the head was trained on.
            ValueError: if the encoder returns embeddings that are not finite.
        """
        self._require_fit(context)
        with context.stage("partition"):
            self.head.to(context.features.device)
            starts = range(0, len(context.features), _CHUNK)
            found = [self.find_parts(context.features[start : start + _CHUNK].float()) for start in starts]
            labels = torch.cat([part.labels for part in found]).view_as(context.foreground_patches)  # (images, h, w)
            vision = VisionConcepts(*map(torch.cat, zip(*(part.vision for part in found), strict=True)))
            pixels = part_masks(labels, self.num_parts, context.images.shape[-1], context.patch_size)
            present = has_pixels(pixels)  # (images, parts)
        embeddings, boxes = embed_parts(labels, pixels, context, self.regions, chunk=self.chunk)
        return GroupExplanation(
            explainer=self.name,
            part_labels=labels,
            part_pixels=pixels,
            present=present,
            part_embeddings=embeddings,
            descriptor_ids=torch.cat([part.descriptor_ids for part in found]),
            vision=vision,
            fallbacks={"no_part": int((~present.any(dim=1)).sum()), "contour_box": boxes},
        )

    @abstractmethod
    def find_parts(self, features: Tensor) -> FoundParts:
        """Return the parts of images with (B, N, C) patch features."""

    def _require_fit(self, context: GroupContext) -> None:
        if context.backbone is not None:
            self.trained.require_backbone(context.backbone)
        self.trained.require_concepts(context.prompted_embeddings)
        shape, width = self.head.inputs_shape, context.features.shape[-1]
        grid = list(context.foreground_patches.shape[1:])
        if (width, grid) != (shape["feature_dim"], shape["grid"]):
            raise UsageError(
                f"Expected {shape['grid'][0]} x {shape['grid'][1]} patches of width {shape['feature_dim']}, which "
                f"{self.trained.file} was trained on, found {grid[0]} x {grid[1]} of width {width}; choose the same "
                "--model.features and model, or train the head again."
            )
