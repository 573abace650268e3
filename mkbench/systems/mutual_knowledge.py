"""What do the image and the text encoder of a model know in common? The predict-only system that asks it."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from mkbench.backbones import Backbone, Geometry, PatchFeatures, load_backbone
from mkbench.concepts import (
    Explainer,
    Foreground,
    GroupContext,
    GroupExplanation,
    PartsExplainer,
    find_foreground,
)
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.metrics import ConceptEntropy, MutualInformation, MutualInformationAUC
from mkbench.metrics.functional import chance_curves, concept_entropy, mutual_information_curves
from mkbench.systems.text_cache import TextCache, cache_folder
from mkbench.systems.text_knowledge import TextKnowledge, read_texts

Precision = Literal["32", "bf16", "16"]
_DTYPES: dict[str, torch.dtype] = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}


@dataclass(frozen=True)
class ExplainedGroup:
    """One explainer's answer for a class group, and what was measured on it.

    Attributes:
        explanation: parts and concepts.
        hits: (B, Q) bool, which vision concepts are language concepts of the conditioning class.
        curves: (B, Q + 1) float64, mutual information while concepts are removed; 0 beyond an image's own length.
        chance: (B, Q + 1) float64, the same against the language concepts of other classes, averaged.
        entropy: (B,) float64, concept entropy.
    """

    explanation: GroupExplanation
    hits: Tensor
    curves: Tensor
    chance: Tensor
    entropy: Tensor


@dataclass(frozen=True)
class GroupResult:
    """Everything a callback may write or draw of one class group.

    Attributes:
        group: the pictures.
        ranking: (B, up to 5) int64, predicted classes, best first.
        conditioning: (B,) int64, the class whose language concepts were used.
        foreground: prominent patches and pixels.
        explained: explainer name -> its answer.
    """

    group: ClassGroup
    ranking: Tensor
    conditioning: Tensor
    foreground: Foreground
    explained: dict[str, ExplainedGroup]


class MutualKnowledge(L.LightningModule):
    """Mutual knowledge of a CLIP model's two encoders (Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016).

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration).
        pretrained: weight tag, for a bare architecture name.
        random_weights: build the architecture with random weights; every result then says so.
        explainers: what turns pictures into parts and descriptors; None: PCA and K-means parts.
        num_language_concepts: u, the descriptors nearest to a class; 50 for the published bank of 4,229.
        pool: the descriptors each part proposes, for the default explainers; 500 for the published bank.
        num_parts: L, for the default explainers.
        topk: k descriptors for a part, for the default explainers.
        estimator: ``paper`` (published scale, an overlap score) or ``shannon`` (nats).
        condition_on: use the language concepts of the ``predicted`` or of the ``true`` class.
        scope: find prominent patches over the whole ``class`` group or in every ``image`` alone.
        saliency: ``spectral`` (second singular vector) or ``pca``.
        features: which patch features: ``tokens``, ``keys`` or ``both``.
        refine: pixels of the foreground: ``none``, ``components`` or ``crf``.
        descriptor_template: prompt of the bank's descriptors.
        relevance_template: prompt of the descriptors when compared with the whole picture.
        encoder_chunk: pictures in one call of the image encoder; bounds memory.
        text_cache: where text embeddings are kept for the next run: ``auto`` (the user's cache folder), ``off`` or a
            folder.
        precision: of the encoders; everything after them is computed in fp32 or fp64.
        seed: run seed; each class group derives its own from it.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        pretrained: str | None = None,
        random_weights: bool = False,
        explainers: list[Explainer] | None = None,
        num_language_concepts: int = 50,
        pool: int = 500,
        num_parts: int = 5,
        topk: int = 3,
        estimator: Literal["paper", "shannon"] = "paper",
        condition_on: Literal["predicted", "true"] = "predicted",
        scope: Literal["class", "image"] = "class",
        saliency: Literal["spectral", "pca"] = "spectral",
        features: Literal["tokens", "keys", "both"] = "tokens",
        refine: Literal["none", "components", "crf"] = "crf",
        descriptor_template: str = "a photo showing {}",
        relevance_template: str = "{}",
        encoder_chunk: int = 64,
        text_cache: str = "auto",
        precision: Precision = "32",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if encoder_chunk < 1 or num_language_concepts < 1:
            raise UsageError(
                "Expected --model.encoder_chunk and --model.num_language_concepts to be at least 1, found "
                f"{encoder_chunk} and {num_language_concepts}."
            )
        loaded = (
            load_backbone(backbone, pretrained=pretrained, random_weights=random_weights)
            if isinstance(backbone, str)
            else backbone
        )
        self.backbone = loaded.to(_DTYPES[precision]).eval().requires_grad_(False)
        self.explainers: Sequence[Explainer] = explainers or [
            PartsExplainer(name, num_parts=num_parts, topk=topk, pool=pool) for name in ("pca", "kmeans")
        ]
        self.num_language_concepts = num_language_concepts
        self.estimator, self.condition_on = estimator, condition_on
        self.scope, self.saliency, self.features, self.refine = scope, saliency, features, refine
        self.descriptor_template, self.relevance_template = descriptor_template, relevance_template
        self.encoder_chunk, self.precision, self.seed = encoder_chunk, precision, seed
        self.text_cache = TextCache(cache_folder(text_cache))
        #: Hook around the stages of the pipeline; a benchmark puts its clock here.
        self.stage: Stage = no_stage
        self.text: TextKnowledge | None = None
        self.metrics: torch.nn.ModuleDict = torch.nn.ModuleDict()
        self.computed: dict[str, float] = {}

    @property
    def geometry(self) -> Geometry:
        """Resizing and normalisation of the weights."""
        return self.backbone.geometry

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""
        return {
            "estimator": self.estimator,
            "condition_on": self.condition_on,
            "num_language_concepts": self.num_language_concepts,
            "scope": self.scope,
            "saliency": self.saliency,
            "features": self.features,
            "refine": self.refine,
            "descriptor_template": self.descriptor_template,
            "relevance_template": self.relevance_template,
            "precision": self.precision,
            "seed": self.seed,
            "explainers": {explainer.name: explainer.settings() for explainer in self.explainers},
        }

    # -- what Lightning calls ------------------------------------------------------------------------------------------

    def on_predict_start(self) -> None:
        """Encode all texts once and prepare the metrics."""
        data = attached_data(self.trainer)
        if self.trainer.precision != "32-true":
            raise UsageError(
                f"Expected --trainer.precision 32-true, found {self.trainer.precision}; the analysis needs it: set the "
                "encoders' precision with --model.precision."
            )
        torch.set_float32_matmul_precision("highest")  # TF32 would change similarities in the third digit
        self._prepare_texts_once(data)
        classes = len(data.class_names)
        self.metrics = torch.nn.ModuleDict(
            {"prediction": _accuracies(classes)}
            | {explainer.name: self._concept_metrics() for explainer in self.explainers}
        ).to(self.device)

    def _prepare_texts_once(self, data: ClassGroupDataModule) -> None:
        """Encode the texts on the first device of every machine; the others then find them in the cache."""
        waits = self.text_cache.folder is not None and self.trainer.local_rank > 0
        if waits:
            self.trainer.strategy.barrier("texts")
        self.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
        if self.text_cache.folder is not None and not waits:
            self.trainer.strategy.barrier("texts")

    def prepare_texts(self, class_names: Sequence[str], descriptors: Sequence[str], templates: Sequence[str]) -> None:
        """Encode class names and bank, and choose the language concepts of every class.

        Raises:
            UsageError: the bank has fewer descriptors than ``num_language_concepts``.
        """
        if len(descriptors) < self.num_language_concepts:
            raise UsageError(
                f"Expected a bank of at least {self.num_language_concepts} descriptors, found {len(descriptors)}; use "
                "a larger bank or a smaller --model.num_language_concepts."
            )
        self.text = read_texts(
            self.backbone,
            class_names,
            templates,
            descriptors,
            descriptor_template=self.descriptor_template,
            relevance_template=self.relevance_template,
            num_language_concepts=self.num_language_concepts,
            cache=self.text_cache,
        )

    def predict_step(self, batch: ClassGroup, batch_idx: int) -> GroupResult | None:
        """Explain a class group; None if none of its pictures could be read."""
        if not len(batch):
            return None
        result = self.explain_group(batch)
        self._update_metrics(result)
        return result

    def on_predict_epoch_end(self) -> None:
        """Compute the metrics over all devices; ``computed`` then holds them by name."""
        with warnings.catch_warnings():
            # A device that met unreadable pictures alone takes part all the same.
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method")
            for owner, collection in self.metrics.items():
                for name, value in collection.compute().items():  # type: ignore[operator]
                    self.computed[name if owner == "prediction" else f"{name}/{owner}"] = float(value)

    # -- the pipeline --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def explain_group(self, group: ClassGroup) -> GroupResult:
        """Run the pipeline on one class group.

        Raises:
            RuntimeError: ``prepare_texts`` was not called.
        """
        text = self.knowledge
        images = group.images
        with self.stage("features"):
            features, embedding = self._patch_features(images)
        unit = F.normalize(embedding.double(), dim=-1).float()
        foreground = find_foreground(
            features,
            self.backbone.grid,
            images,
            scope=self.scope,
            method=self.saliency,
            refine=self.refine,
            stage=self.stage,
        )
        ranking = self._rank(unit, text.classes)
        conditioning = (
            ranking[:, 0]
            if self.condition_on == "predicted"
            else torch.full((len(group),), group.class_index, device=images.device)
        )
        context = GroupContext(
            images=images,
            features=features,
            image_embedding=unit,
            bare_embeddings=text.bare,
            prompted_embeddings=text.prompted,
            foreground_patches=foreground.patches,
            foreground_pixels=foreground.pixels,
            seed=group_seed(self.seed, group.class_index, group.part),
            encode=self._encode,
            stage=self.stage,
        )
        explained = {
            explainer.name: self._measure(explainer.explain(context), conditioning) for explainer in self.explainers
        }
        return GroupResult(group, ranking, conditioning, foreground, explained)

    @property
    def knowledge(self) -> TextKnowledge:
        """What the text encoder says; known after ``prepare_texts``."""
        if self.text is None:
            raise RuntimeError("Expected prepared texts, found none; call prepare_texts first.")
        return self.text

    def _chunks(self, images: Tensor) -> Iterator[Tensor]:
        return (images[start : start + self.encoder_chunk] for start in range(0, len(images), self.encoder_chunk))

    def _patch_features(self, images: Tensor) -> PatchFeatures:
        """Return features (B, N, C) and embeddings (B, d) of all images, a chunk at a time."""
        chunks = [self.backbone.patch_features(chunk, self.features) for chunk in self._chunks(images)]
        return PatchFeatures(*(torch.cat(column).float() for column in zip(*chunks, strict=True)))

    def _encode(self, images: Tensor) -> Tensor:
        return torch.cat([self.backbone.encode_image(chunk) for chunk in self._chunks(images)])

    @staticmethod
    def _rank(unit: Tensor, classes: Tensor) -> Tensor:
        """Return the (up to) five nearest classes of every image, ties to the lower index."""
        similarity = unit.double() @ classes.double().T
        return similarity.argsort(dim=1, descending=True, stable=True)[:, :5]

    def _measure(self, explanation: GroupExplanation, conditioning: Tensor) -> ExplainedGroup:
        """Measure how much of an explanation the text encoder shares."""
        text, vision = self.knowledge, explanation.vision
        with self.stage("measure"):
            listed = vision.ids >= 0
            hits = listed & text.member[conditioning].gather(1, vision.ids.clamp(min=0))
            bank, u = text.member.shape[1], self.num_language_concepts
            curves = mutual_information_curves(hits, vision.counts, u, estimator=self.estimator, bank_size=bank)
            chance = chance_curves(
                vision.ids,
                vision.counts,
                text.member,
                conditioning,
                num_language=u,
                estimator=self.estimator,
                bank_size=bank,
                seed=self.seed,
            )
            entropy = concept_entropy(explanation.descriptor_ids.flatten(1))
        return ExplainedGroup(explanation, hits, curves, chance, entropy)

    # -- live metrics --------------------------------------------------------------------------------------------------

    def _concept_metrics(self) -> MetricCollection:
        bank = self.knowledge.member.shape[1]
        longest = max(explainer.max_concepts for explainer in self.explainers)
        options: dict[str, Any] = {"max_concepts": longest, "estimator": self.estimator, "bank_size": bank}
        return MetricCollection(
            {
                "mutual_information": MutualInformation(**options),
                "mutual_information_auc": MutualInformationAUC(**options),
                "concept_entropy": ConceptEntropy(),
            },
            compute_groups=False,
        )

    def _update_metrics(self, result: GroupResult) -> None:
        target = torch.full((len(result.group),), result.group.class_index, device=self.device)
        scores = torch.zeros(len(target), self.knowledge.classes.shape[0], device=self.device)
        order = torch.arange(result.ranking.shape[1], 0, -1, dtype=scores.dtype, device=self.device)
        scores.scatter_(1, result.ranking, order.expand_as(result.ranking))
        self.metrics["prediction"].update(scores, target)  # type: ignore[operator]
        for name, explained in result.explained.items():
            metrics: Any = self.metrics[name]
            counts = explained.explanation.vision.counts
            for stem in ("mutual_information", "mutual_information_auc"):
                metrics[stem].update_curves(explained.curves, counts)
            metrics["concept_entropy"].update(explained.explanation.descriptor_ids.flatten(1))


def _accuracies(classes: int) -> MetricCollection:
    return MetricCollection(
        {f"top{k}": MulticlassAccuracy(classes, top_k=min(k, classes), average="micro") for k in (1, 5)},
        compute_groups=False,
    )


def group_seed(seed: int, class_index: int, part: int) -> int:
    """Return the seed of a class group: a function of the run seed and the group alone.

    >>> group_seed(0, 3, 0) == group_seed(0, 3, 0) != group_seed(0, 4, 0)
    True
    """
    digest = hashlib.sha256(f"{seed}/{class_index}/{part}".encode()).digest()
    return int.from_bytes(digest[:6], "little")
