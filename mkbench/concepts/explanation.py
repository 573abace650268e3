"""Explanations of the images of a class group, the only thing that metrics read."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.concepts.descriptors import VisionConcepts


@dataclass(frozen=True)
class ExplainedPart:
    """Part of one image with its descriptors.

    Attributes:
        index: number of the part within its class, 0..L-1.
        mask: (S, S) bool pixels.
        descriptor_ids: int64 ids in rank order, at most k, without padding.
        scores: float64 importance of these descriptors, 2.5 times the cosine of image and bare descriptor.
        embedding: (d,) mean prompt embedding.
    """

    index: int
    mask: Tensor
    descriptor_ids: Tensor
    scores: Tensor
    embedding: Tensor


@dataclass(frozen=True)
class Explanation:
    """Explanation of one image: its parts, and the concepts merged over them, most important first, without padding."""

    parts: tuple[ExplainedPart, ...]
    concept_ids: Tensor
    importance: Tensor


@dataclass(frozen=True)
class GroupExplanation:
    """The explanation of all images of a class group.

    Attributes:
        explainer: name of the explainer.
        part_labels: (B, h, w) int64, -1 on background, 0..L-1 on the patches of a part.
        part_pixels: (B, L, S, S) bool, the refined pixels of every part.
        present: (B, L) bool, which parts the image has.
        part_embeddings: (B, L, d) mean prompt embedding, 0 where the part is absent.
        descriptor_ids: (B, L, k) int64 in rank order, -1 where there is none.
        vision: the merged concepts of every image, (B, Q) each.
        fallbacks: how often which rule for special cases applied.

    Raises:
        ValueError: at construction, if a shape or type does not fit the others.
    """

    explainer: str
    part_labels: Tensor
    part_pixels: Tensor
    present: Tensor
    part_embeddings: Tensor
    descriptor_ids: Tensor
    vision: VisionConcepts
    fallbacks: dict[str, int]

    def __post_init__(self) -> None:
        if self.present.ndim != 2:
            raise ValueError(f"present must be (images, parts), found {tuple(self.present.shape)}")
        images, parts = self.present.shape
        self._require("present", self.present, (images, parts), torch.bool)
        self._require("part_labels", self.part_labels, (images, None, None), torch.int64)
        side = self.part_pixels.shape[-1]
        self._require("part_pixels", self.part_pixels, (images, parts, side, side), torch.bool)
        self._require("part_embeddings", self.part_embeddings, (images, parts, None), None)
        self._require("descriptor_ids", self.descriptor_ids, (images, parts, None), torch.int64)
        self._require("vision.ids", self.vision.ids, (images, None), torch.int64)
        self._require("vision.importance", self.vision.importance, tuple(self.vision.ids.shape), None)
        self._require("vision.counts", self.vision.counts, (images,), torch.int64)

    @staticmethod
    def _require(name: str, value: Tensor, shape: tuple[int | None, ...], dtype: torch.dtype | None) -> None:
        fits = value.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, value.shape, strict=True)
        )
        if not fits or dtype not in (None, value.dtype):
            wanted = tuple("any" if want is None else want for want in shape)
            raise ValueError(f"{name} must be {wanted} {dtype or ''}, found {tuple(value.shape)} {value.dtype}")

    def __len__(self) -> int:
        return len(self.present)

    def image(self, index: int) -> Explanation:
        """The explanation of one image, without padding.

        Args:
            index: number of the image in the group, 0..B-1.

        Returns:
            `Explanation` with the parts that are present.

        Raises:
            IndexError: if the group has no such image.

        Example:
            >>> empty = GroupExplanation(
            ...     explainer="pca",
            ...     part_labels=torch.full((1, 2, 2), -1),
            ...     part_pixels=torch.zeros(1, 5, 8, 8, dtype=torch.bool),
            ...     present=torch.zeros(1, 5, dtype=torch.bool),
            ...     part_embeddings=torch.zeros(1, 5, 4),
            ...     descriptor_ids=torch.full((1, 5, 3), -1),
            ...     vision=VisionConcepts(torch.full((1, 15), -1), torch.zeros(1, 15), torch.tensor([0])),
            ...     fallbacks={"no_foreground": 1},
            ... )
            >>> empty.image(0).parts
            ()
        """
        if not 0 <= index < len(self):
            raise IndexError(f"image index must lie in 0..{len(self) - 1}, found {index}")
        count = int(self.vision.counts[index])
        concepts, importance = self.vision.ids[index, :count], self.vision.importance[index, :count]
        numbers = self.present[index].nonzero().flatten().tolist()
        return Explanation(
            parts=tuple(self._part(index, number, concepts, importance) for number in numbers),
            concept_ids=concepts,
            importance=importance,
        )

    def _part(self, index: int, number: int, concepts: Tensor, importance: Tensor) -> ExplainedPart:
        ids = self.descriptor_ids[index, number]
        ids = ids[ids >= 0]
        same = (ids[:, None] == concepts).to(importance.dtype)  # (descriptors, concepts), one match a row
        return ExplainedPart(
            index=number,
            mask=self.part_pixels[index, number],
            descriptor_ids=ids,
            scores=same @ importance,
            embedding=self.part_embeddings[index, number],
        )
