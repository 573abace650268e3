"""The published steps written plainly: loops over images, parts, patches and pairs, as an example script has them.

Written from the description of the method alone (Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016), it shares no
code with the pipeline that it is timed beside, the encoders apart. As in the published example, the texts of an image's
candidates are encoded again for every image and at full length, prompts are drawn and encoded part by part, and the
plan takes 1000 rounds. PCA parts alone, without dense CRF.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mkbench.concepts.foreground import Stage, no_stage

Array = NDArray[Any]
PARTS, TOP, MARGIN, SCALE, ROUNDS = 5, 3, 0.02, 2.5, 1000
RED = (255, 0, 0)


@dataclass(frozen=True)
class PlainTexts:
    """Texts of a run.

    Attributes:
        descriptors: D texts, as they are compared with an image.
        classes: (Y, d) unit rows.
        prompted: (D, d) unit rows of the descriptors in their prompt.
        num_language: u, the descriptors nearest to a class.
        pool: the descriptors each part proposes.
    """

    descriptors: Sequence[str]
    classes: Array
    prompted: Array
    num_language: int
    pool: int


class PlainExplanation(NamedTuple):
    """Concept ids of an image, most important first; the curve of mutual information; the number of candidates."""

    concepts: list[int]
    curve: list[float]
    candidates: int


def explain_plainly(
    backbone: Any, images: Array, texts: PlainTexts, *, stage: Stage = no_stage
) -> list[PlainExplanation]:
    """Explain the images of one class.

    Args:
        backbone: a model of open_clip, on the CPU.
        images: (B, S, S, 3) uint8.
        texts: what is known of the texts before.
        stage: hook around ``features``, ``saliency``, ``partition``, ``render``, ``encode``, ``texts``, ``transport``
            and ``measure``.
    """
    with stage("features"):
        read = [backbone.patch_features(_batch(image[None])) for image in images]
        features = np.stack([one.features[0].double().numpy() for one in read])  # (B, N, C)
        embeddings = [_unit(one.embedding[0].double().numpy()) for one in read]
    with stage("saliency"):
        foreground = [_clean(mask) for mask in _prominent(features).reshape(len(images), *backbone.grid)]
    with stage("partition"):
        labels = _share_out(features, foreground)
    explained = []
    for image, embedding, label in zip(images, embeddings, labels, strict=True):
        logits = _part_logits(backbone, image, label, texts, stage)
        concepts, candidates = _name(backbone, embedding, logits, texts, stage)
        with stage("measure"):
            nearest = int(np.argmax(texts.classes @ embedding))
            language = np.argsort(-(texts.prompted @ texts.classes[nearest]), kind="stable")[: texts.num_language]
            explained.append(PlainExplanation(concepts, _curve(concepts, language.tolist()), candidates))
    return explained


def _batch(images: Array) -> torch.Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _unit(rows: Array) -> Array:
    unit: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return unit


def _prominent(features: Array) -> Array:
    """Positive entries of the second left singular vector of all patches; a majority of them is the background.

    Where exactly half of them are positive, the largest entry of the right singular vector is.
    """
    left, _, right = np.linalg.svd(_unit(features.reshape(-1, features.shape[-1])), full_matrices=False)
    vector = left[:, 1] * np.sign(right[1, np.abs(right[1]).argmax()])
    share = (vector > 0).mean()
    return (-vector if 0.5 < share < 1 else vector) > 0


def _clean(mask: Array) -> Array:
    """Keep the largest connected region of patches, and the second one if it has five or more."""
    regions, seen = [], np.zeros_like(mask)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            if mask[row, column] and not seen[row, column]:
                regions.append(_flood(mask, seen, (row, column)))
    regions.sort(key=len, reverse=True)  # stable: of equals, the one that starts first
    kept = np.zeros_like(mask)
    for rank, region in enumerate(regions[:2]):
        for place in region if rank == 0 or len(region) >= 5 else ():
            kept[place] = True
    return kept


def _flood(mask: Array, seen: Array, start: tuple[int, int]) -> list[tuple[int, int]]:
    region, waiting = [], [start]
    seen[start] = True
    while waiting:
        row, column = waiting.pop()
        region.append((row, column))
        for other in [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]:
            inside = 0 <= other[0] < mask.shape[0] and 0 <= other[1] < mask.shape[1]
            if inside and mask[other] and not seen[other]:
                seen[other] = True
                waiting.append(other)
    return region


def _share_out(features: Array, foreground: Sequence[Array]) -> Array:
    """(B, h, w) part of every patch, -1 on the background: the principal component that it scores highest on."""
    masks = np.stack(foreground)
    labels = np.full(masks.shape, -1)
    rows = features.reshape(*masks.shape, -1)[masks]
    if len(rows):
        centred = rows - rows.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:PARTS]
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        scores = centred @ axes.T
        scores = scores - scores.min(axis=0)
        labels[masks] = (scores / scores.max(axis=0)).argmax(axis=1)
    return labels


def _part_logits(backbone: Any, image: Array, labels: Array, texts: PlainTexts, stage: Stage) -> Array:
    """(parts that there are, D) cosines of a part's three prompts, averaged, with the descriptors."""
    side = image.shape[0] // labels.shape[0]
    rows = []
    for part in sorted(set(labels[labels >= 0].tolist())):
        with stage("render"):
            mask = np.zeros(image.shape[:2], np.uint8)
            whole = np.kron((labels == part).astype(np.uint8), np.ones((side, side), np.uint8))
            mask[: whole.shape[0], : whole.shape[1]] = whole
            prompts = _draw(image, mask)
        with stage("encode"):
            encoded = backbone.encode_image(_batch(prompts)).double().numpy()
            rows.append(texts.prompted @ _unit(encoded).mean(axis=0))
    return np.array(rows)


def _draw(image: Array, mask: Array) -> Array:
    """(3, S, S, 3): a red ring around the largest contour; the same on grey; the same on a blurred image."""
    contour = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    if len(contour) >= 5:
        ellipse: Any = cv2.fitEllipse(contour)
    else:
        left, top, width, height = cv2.boundingRect(contour)
        ellipse = ((left + (width - 1) / 2, top + (height - 1) / 2), (width, height), 0)
    inside = cv2.ellipse(np.zeros_like(mask), ellipse, 1, thickness=-1)[..., None] > 0
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    around = (image, grey, cv2.GaussianBlur(image, (11, 11), 2.0))
    drawn = [np.ascontiguousarray(np.where(inside, image, outside)) for outside in around]
    return np.stack([cv2.ellipse(one, ellipse, RED, thickness=1) for one in drawn])


def _name(backbone: Any, embedding: Array, logits: Array, texts: PlainTexts, stage: Stage) -> tuple[list[int], int]:
    """Concepts of an image, most important first, and how many descriptors were candidates."""
    if not len(logits):
        return [], 0
    best = np.argsort(-logits, axis=1, kind="stable")  # (parts, D)
    proposed = sorted(set.intersection(*(set(row[: texts.pool].tolist()) for row in best)))
    stand_in = sorted({int(number) for row in best for number in row[:TOP]})
    with stage("texts"):
        asked = proposed or stand_in
        relevance = dict(
            zip(asked, _relevance(backbone, embedding, [texts.descriptors[i] for i in asked]), strict=True)
        )
    bar = np.mean(list(relevance.values())) - MARGIN
    chosen = [number for number in asked if not proposed or relevance[number] > bar]
    with stage("transport"):
        scores = logits[:, chosen]
        plan = _balance(np.exp(SCALE * scores)) if len(logits) > 1 else scores
        concepts: list[int] = []
        for row in plan:
            concepts += [chosen[place] for place in np.argsort(-row, kind="stable")[:TOP]]
    distinct = list(dict.fromkeys(concepts))
    return sorted(distinct, key=lambda number: -relevance[number]), len(proposed)


def _relevance(backbone: Any, embedding: Array, asked: Sequence[str]) -> list[float]:
    """Cosines of an image with texts, which are encoded with all of their padding."""
    with torch.no_grad():
        encoded = backbone.model.encode_text(backbone.tokenizer(list(asked))).double().numpy()
    return [float(row @ embedding) for row in _unit(encoded)]


def _balance(plan: Array) -> Array:
    """Scale rows to equal sums and columns to 1, again and again."""
    for _ in range(ROUNDS):
        plan = plan * (plan.shape[1] / plan.shape[0]) / plan.sum(axis=1, keepdims=True)
        plan = plan / plan.sum(axis=0, keepdims=True)
    return plan


def _curve(vision: Sequence[int], language: Sequence[int]) -> list[float]:
    """Mutual information with the most important concepts taken out one after another."""
    return [_overlap([-1] * gone + list(vision[gone:]), language) for gone in range(len(vision) + 1)]


def _overlap(vision: Sequence[int], language: Sequence[int]) -> float:
    shared = 0
    for one in vision:
        for other in language:
            if one == other:
                shared += 1
    return float(np.log(len(vision)) + np.log(len(language)) + np.log(shared)) if shared else 0.0
