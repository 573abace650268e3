"""Removal sequence: images with parts blurred one by one by importance, and their class scores."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.concepts.prompts import blur

RemovalMode = Literal["deletion", "insertion"]
REMOVAL_MODES: tuple[RemovalMode, ...] = ("deletion", "insertion")


def removal_order(image_embedding: Tensor, part_embeddings: Tensor, descriptor_embeddings: Tensor) -> Tensor:
    """Rank the parts of one image by cos(image, part) * cos(image, the part's best descriptor).

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        image_embedding: (d,) of the plain image.
        part_embeddings: (L, d) visual embedding of each part.
        descriptor_embeddings: (L, d) text embedding of each part's best descriptor.

    Returns:
        (L,) int64 part indices, most important first; equal products by index.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> parts = torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
        >>> removal_order(torch.tensor([1.0, 0.0]), parts, torch.ones(3, 2)).tolist()
        [2, 1, 0]
    """
    dim = image_embedding.shape[-1:]
    if image_embedding.ndim != 1 or part_embeddings.shape != descriptor_embeddings.shape:
        raise ValueError("expected image_embedding (dim,) and as many descriptors as parts, (parts, dim) each")
    if part_embeddings.ndim != 2 or part_embeddings.shape[1:] != dim:
        raise ValueError(f"expected part embeddings of width {dim[0]}, found {tuple(part_embeddings.shape)}")
    products = part_importance(image_embedding[None], part_embeddings[None], descriptor_embeddings[None])[0]  # (parts,)
    return products.argsort(descending=True, stable=True)


def removal_order_batch(
    image_embedding: Tensor, part_embeddings: Tensor, descriptor_embeddings: Tensor, *, usable: Tensor, present: Tensor
) -> Tensor:
    """:func:`removal_order` of many images, whose parts may be absent.

    Args:
        image_embedding: (B, d).
        part_embeddings: (B, L, d).
        descriptor_embeddings: (B, L, d), anything where a part has no descriptor.
        usable: (B, L) bool, which parts are present and have a descriptor.
        present: (B, L) bool, which parts the image has.

    Returns:
        (B, L) int64 part indices: usable parts, most important first, then those without a descriptor, then absent
        ones.

    Example:
        >>> parts = torch.tensor([[[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]])
        >>> seen = torch.tensor([[True, True, False]])
        >>> image = torch.tensor([[1.0, 0.0]])
        >>> removal_order_batch(image, parts, torch.ones(1, 3, 2), usable=seen, present=seen).tolist()
        [[1, 0, 2]]
    """
    products = part_importance(image_embedding, part_embeddings, descriptor_embeddings)
    products = torch.where(usable, products, torch.where(present, -2.0, -3.0))
    return products.argsort(dim=1, descending=True, stable=True)


def part_importance(image_embedding: Tensor, part_embeddings: Tensor, descriptor_embeddings: Tensor) -> Tensor:
    """Importance of parts: cos(image, part) * cos(image, the part's best descriptor).

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        image_embedding: (B, d).
        part_embeddings: (B, L, d).
        descriptor_embeddings: (B, L, d).

    Returns:
        (B, L) float64 within -1..1.

    Example:
        >>> parts = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> part_importance(torch.tensor([[2.0, 0.0]]), parts, parts).tolist()
        [[0.0, 1.0]]
    """
    image = image_embedding.double()[:, None]
    to_part = F.cosine_similarity(image, part_embeddings.double(), dim=-1)  # (images, parts)
    return to_part * F.cosine_similarity(image, descriptor_embeddings.double(), dim=-1)


def removal_images(image: Tensor, part_masks: Tensor, order: Tensor, *, mode: RemovalMode = "deletion") -> Tensor:
    """Images of a removal sequence; what is removed is blurred (Gaussian 11 x 11, sigma 2.0), never zeroed.

    ``deletion`` starts with the image and blurs part by part. ``insertion`` starts with the whole image blurred, the
    background included, and brings the parts back in the same order; the background stays blurred. Blurred pixels
    are those of the blurred original, so an image depends only on which parts are removed.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        image: (3, S, S) uint8.
        part_masks: (L, S, S) bool, the pixels of each part.
        order: (L,) int64 part indices, most important first.
        mode: ``deletion`` or ``insertion``.

    Returns:
        (L + 1, 3, S, S) uint8.

    Raises:
        ValueError: for an unknown mode or shapes and types that do not fit.

    Example:
        >>> image = torch.zeros(3, 16, 16, dtype=torch.uint8)
        >>> image[:, 8] = 255
        >>> masks = torch.ones(1, 16, 16, dtype=torch.bool)
        >>> images = removal_images(image, masks, torch.tensor([0]))
        >>> images.shape, bool((images[0] == image).all()), bool((images[1] == image).all())
        (torch.Size([2, 3, 16, 16]), True, False)
    """
    if mode not in REMOVAL_MODES:
        raise ValueError(f"mode must be one of {', '.join(REMOVAL_MODES)}, found {mode!r}")
    if image.dtype != torch.uint8 or image.ndim != 3:
        raise ValueError(f"image must be uint8 (3, height, width), found {tuple(image.shape)} {image.dtype}")
    expected = (len(order), *image.shape[1:])
    if part_masks.dtype != torch.bool or part_masks.shape != expected:
        raise ValueError(f"part_masks must be bool {expected}, found {tuple(part_masks.shape)} {part_masks.dtype}")
    return removal_images_batch(image[None], part_masks[None], order[None], mode=mode)[0]


def removal_images_batch(
    images: Tensor, part_masks: Tensor, order: Tensor, *, mode: RemovalMode, scenes: Tensor | None = None
) -> Tensor:
    """:func:`removal_images` of many images.

    Args:
        images: (B, 3, S, S) uint8.
        part_masks: (B, L, S, S) bool, empty where a part is absent.
        order: (B, L) int64 part indices, most important first.
        mode: ``deletion`` or ``insertion``.
        scenes: (B, 3, S, S) uint8, the images without their objects: a removed part shows what lies behind the object,
            and nothing is blurred; None: it is blurred.

    Returns:
        (B, L + 1, 3, S, S) uint8.

    Example:
        >>> images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
        >>> masks = torch.ones(2, 1, 16, 16, dtype=torch.bool)
        >>> removal_images_batch(images, masks, torch.zeros(2, 1, dtype=torch.int64), mode="insertion").shape
        torch.Size([2, 2, 3, 16, 16])
    """
    without = blur(images) if scenes is None else scenes
    before, after = (images, without) if mode == "deletion" else (without, images)
    ordered = part_masks.gather(1, order[..., None, None].expand_as(part_masks))  # (images, parts, height, width)
    untouched = part_masks.new_zeros(len(images), 1, *images.shape[2:])
    touched = torch.cat([untouched, ordered], dim=1).cumsum(1, dtype=torch.int16) > 0
    return torch.where(touched[:, :, None], after[:, None], before[:, None])


def score_curve(image_embeddings: Tensor, class_embedding: Tensor) -> Tensor:
    """Class score of every image of a sequence: 2.5 * cosine with the predicted class, as in the paper's figure.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix E.

    Args:
        image_embeddings: (..., L + 1, d) of the images of :func:`removal_images`.
        class_embedding: (..., d) of the class predicted for the plain image.

    Returns:
        (..., L + 1) float64 between -2.5 and 2.5.

    Raises:
        ValueError: if the widths differ.

    Example:
        >>> score_curve(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([1.0, 0.0])).tolist()
        [2.5, 0.0]
    """
    if image_embeddings.shape[-1] != class_embedding.shape[-1]:
        raise ValueError(
            f"expected embeddings of one width, found {image_embeddings.shape[-1]} and {class_embedding.shape[-1]}"
        )
    return 2.5 * F.cosine_similarity(image_embeddings.double(), class_embedding.double()[..., None, :], dim=-1)


def correctness_curve(image_embeddings: Tensor, class_embeddings: Tensor, target: int) -> Tensor:
    """Correctness of the top-1 class after every step of a sequence.

    Args:
        image_embeddings: (L + 1, d) of the images of :func:`removal_images`.
        class_embeddings: (Y, d) of all classes.
        target: the true class.

    Returns:
        (L + 1,) bool; among equally close classes the lowest index is the prediction.

    Raises:
        ValueError: if the target is not one of the classes.

    Example:
        >>> correctness_curve(torch.tensor([[1.0, 0.2], [0.1, 1.0]]), torch.eye(2), 0).tolist()
        [True, False]
    """
    return correctness_curves(image_embeddings, class_embeddings, target)


def correctness_curves(image_embeddings: Tensor, class_embeddings: Tensor, target: int) -> Tensor:
    """:func:`correctness_curve` of any number of sequences of one class.

    Args:
        image_embeddings: (..., L + 1, d).
        class_embeddings: (Y, d) of all classes.
        target: the true class.

    Returns:
        (..., L + 1) bool.

    Raises:
        ValueError: if the target is not one of the classes.

    Example:
        >>> correctness_curves(torch.eye(2)[None], torch.eye(2), 1).tolist()
        [[False, True]]
    """
    if not 0 <= target < len(class_embeddings):
        raise ValueError(f"target must be a class index in 0..{len(class_embeddings) - 1}, found {target}")
    cosines = F.normalize(image_embeddings.double(), dim=-1) @ F.normalize(class_embeddings.double(), dim=-1).T
    return cosines.argmax(dim=-1) == target  # the length of the image embedding would not change it
