"""Mutual knowledge of image and text encoder, as a predict-only system: concepts, mutual information and scores."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.backbones.finite import require_finite_embeddings
from mkbench.concepts import (
    Explainer,
    Explanations,
    Foreground,
    GroupContext,
    GroupExplanation,
    KnownTruth,
    PartsExplainer,
    find_foreground,
)
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.concepts.part_sizes import PART_SIZES
from mkbench.concepts.templates import require_template
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.options import Unpack
from mkbench.errors import UsageError
from mkbench.metrics import ImageMetric
from mkbench.metrics.functional import chance_curves, concept_entropy, grouped_curves, mutual_information_curves
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord
from mkbench.scorers.base import Scorer, ScorerContext, trim_rows
from mkbench.scorers.explained_group import ExplainedGroup, GroupResult
from mkbench.systems.base import BenchmarkSystem, ModelOptions
from mkbench.systems.chosen_explainers import require_different, with_sizes
from mkbench.systems.concept_groups import GroupChoice, choose_groups, describe_groups
from mkbench.systems.explainer_costs import ExplainerCosts
from mkbench.systems.mean_embedding import mean_embedding
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.records.mutual_knowledge import empty_record, group_record
from mkbench.systems.records.summary import explained_layout, explained_rows, summarise
from mkbench.systems.text_knowledge import TextKnowledge, read_texts

#: Column of the curve whose descriptors are counted in groups.
GROUPED = "grouped_curve"


class _SeenGroup(NamedTuple):
    """Images before any explanation, and the explanations once they are asked for."""

    foreground: Foreground
    ranking: Tensor
    explanations: Explanations


class _OtherImages:
    """Images in the place of those of a group, seen once for all explainers: foreground, embeddings and predictions.

    Args:
        see: a group and a seed -> what is seen of it.
    """

    def __init__(self, see: Callable[[ClassGroup, int], _SeenGroup]) -> None:
        self._see = see
        self._seen: list[tuple[Tensor, int, _SeenGroup]] = []

    def see(self, group: ClassGroup, seed: int) -> _SeenGroup:
        """Return what is seen of a group's images, which an earlier explainer may have asked for."""
        for known, of_seed, seen in self._seen:
            if of_seed == seed and torch.equal(known, group.images):
                return seen
        self._seen.append((group.images, seed, self._see(group, seed)))
        return self._seen[-1][2]


class MutualKnowledge(BenchmarkSystem):
    """Mutual knowledge of a CLIP model's two encoders (Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016).

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration).
        explainers: what turns images into parts and descriptors; None: PCA and K-means parts.
        scorers: what else is measured of every explanation, such as :class:`mkbench.scorers.Removal`; None: nothing.
        num_language_concepts: u, the descriptors nearest to a class; 50 for the published bank of 4,229.
        pool: the descriptors each part proposes, for all explainers that set none; 500 for the published bank.
        num_parts: L, for all explainers that set none.
        topk: k descriptors for a part, for all explainers that set none.
        estimator: ``paper`` (published scale, an overlap score) or ``shannon`` (nats).
        condition_on: use the language concepts of the ``predicted`` or of the ``true`` class.
        concept_groups: descriptors that count as one concept, in a second curve beside the published one: ``auto``
            (those that the data knows, if any), ``none``, a cosine at which text embeddings are clustered, such as
            0.95, or a JSON file {group: [descriptors]}.
        scope: find prominent patches over the whole ``class`` group or in every ``image`` alone.
        saliency: ``spectral`` (second singular vector) or ``pca``.
        features: which patch features: ``tokens``, ``keys`` or ``both``.
        refine: pixels of the foreground: ``none``, ``components`` or ``crf``.
        descriptor_template: prompt of the bank's descriptors.
        relevance_template: prompt of the descriptors when compared with the whole image.
        metrics: a user's own metrics, each by its ``class_path``; None: none.
        seed: run seed; each class group derives its own from it.
        options: see :class:`BenchmarkSystem`.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        explainers: list[Explainer] | None = None,
        scorers: list[Scorer] | None = None,
        num_language_concepts: int = 50,
        pool: int = PART_SIZES["pool"],
        num_parts: int = PART_SIZES["num_parts"],
        topk: int = PART_SIZES["topk"],
        estimator: Literal["paper", "shannon"] = "paper",
        condition_on: Literal["predicted", "true"] = "predicted",
        concept_groups: GroupChoice = "auto",
        scope: Literal["class", "image"] = "class",
        saliency: Literal["spectral", "pca"] = "spectral",
        features: Literal["tokens", "keys", "both"] = "tokens",
        refine: Literal["none", "components", "crf"] = "crf",
        descriptor_template: str = "a photo showing {}",
        relevance_template: str = "{}",
        metrics: list[ImageMetric] | None = None,
        seed: int = 0,
        **options: Unpack[ModelOptions],
    ) -> None:
        require_template("--model.descriptor_template", descriptor_template)
        require_template("--model.relevance_template", relevance_template)
        super().__init__(
            backbone,
            metrics=_with_metrics_of_scorers(metrics, scorers),
            **options,
        )
        if num_language_concepts < 1:
            raise UsageError(f"Expected --model.num_language_concepts to be at least 1, found {num_language_concepts}.")
        self.explainers: Sequence[Explainer] = with_sizes(
            explainers or [PartsExplainer(name) for name in ("pca", "kmeans")],
            {"num_parts": num_parts, "topk": topk, "pool": pool},
        )
        self.scorers: Sequence[Scorer] = scorers or []
        require_different("explainers", [explainer.name for explainer in self.explainers])
        require_different("scorers", [scorer.name for scorer in self.scorers])
        self.num_language_concepts = num_language_concepts
        self.estimator, self.condition_on, self.concept_groups = estimator, condition_on, concept_groups
        self.scope, self.saliency, self.features, self.refine = scope, saliency, features, refine
        self.descriptor_template, self.relevance_template = descriptor_template, relevance_template
        self.seed = seed
        #: Hook around the stages of the pipeline; a benchmark puts its clock here.
        self.stage: Stage = no_stage
        self.costs = ExplainerCosts(self.backbone)
        self.text: TextKnowledge | None = None
        #: Group of every descriptor, chosen in ``prepare``; None: no grouped curve.
        self.groups: Tensor | None = None
        #: Mean of the unit embeddings of all images, (d,), for explainers that need it.
        self.mean_embedding: Tensor | None = None

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""
        return {
            "estimator": self.estimator,
            "condition_on": self.condition_on,
            "concept_groups": describe_groups(self.concept_groups),
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
            "scorers": {scorer.name: scorer.settings() for scorer in self.scorers},
        }

    @property
    def scored_columns(self) -> dict[str, pa.DataType]:
        """Columns that concept groups and scorers add to the rows, with their types."""
        grouped = {} if self.groups is None else {GROUPED: pa.list_(pa.float64())}
        return grouped | {name: type_ for scorer in self.scorers for name, type_ in scorer.columns.items()}

    @property
    def needs_ground_truth(self) -> bool:
        """Whether a scorer or an explainer asks for what is known of the images, so that it has to be read."""
        return any(scorer.needs_ground_truth for scorer in self.scorers) or self._needs("needs_ground_truth")

    # -- what Lightning calls ------------------------------------------------------------------------------------------

    def on_predict_start(self) -> None:
        """Refuse options that images without labels cannot have, then encode all texts."""
        data = attached_data(self.trainer)
        if not data.labelled:
            self._refuse_options_that_need_labels()
        super().on_predict_start()

    def prepare(self, data: ClassGroupDataModule) -> None:
        """Let explainers check the run, encode the texts of the data and group them; see ``prepare_texts``.

        Raises:
            UsageError: an explainer does not fit the run, such as one trained with another bank; or concept groups that
                cannot be had.
            BackboneError: the model does not offer what an explainer reads.
        """
        for explainer in self.explainers:
            require_run = getattr(explainer, "require_run", None)
            if require_run is not None:
                require_run(data.describe(), features=self.features)
            require_backbone = getattr(explainer, "require_backbone", None)
            if require_backbone is not None:
                require_backbone(self.backbone)
        self.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
        self.groups = choose_groups(self.concept_groups, data.bank, self.knowledge.prompted)
        if self._needs("needs_mean_embedding"):
            self.mean_embedding = mean_embedding(self.backbone, data, self._encode)

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

    def answer(self, group: ClassGroup) -> GroupResult:
        """Explain a class group; see ``explain_group``."""
        return self.explain_group(group)

    # -- what a run folder asks -------------------------------------------------------------------------------------

    def record(self, group: ClassGroup, answer: GroupResult | None, class_names: Sequence[str]) -> GroupRecord:
        """Return the rows of a group, one for each image and explainer."""
        if answer is None:
            return empty_record(group)
        return group_record(answer, class_names, self.scored_columns)

    def metric_layout(self) -> Layout:
        """Return the metrics of the model and of each explainer: the catalogue's, the scorers' and a user's own."""
        columns = [*ROW_SCHEMA.names, *self.scored_columns]
        return explained_layout(columns, [explainer.name for explainer in self.explainers], self.own_metrics)

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the model and of each explainer."""
        return explained_rows(rows)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return metrics, curves and controls; see :func:`mkbench.systems.records.summary.summarise`."""
        return summarise(records, self.own_metrics)

    def describe_costs(self) -> dict[str, Any]:
        """Return what the explainers cost."""
        return self.costs.describe()

    # -- the pipeline --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def explain_group(self, group: ClassGroup) -> GroupResult:
        """Run the pipeline on one class group.

        Raises:
            RuntimeError: ``prepare_texts`` was not called.
            UsageError: images without labels, and options that need them.
        """
        if group.class_index is None:
            self._refuse_options_that_need_labels()
        seen = self._see(group, group_seed(self.seed, group.class_index, group.part))
        others = _OtherImages(self._see)
        conditioning = self._conditioning(group, seen.ranking)
        explained = {}
        measured: dict[str, list[Any]] = {}
        for explainer in self.explainers:
            explanation = seen.explanations[explainer.name]
            again = partial(self._explain_again, explainer, others)
            measured = self._score(group, explainer, seen, conditioning, again, earlier=measured)
            explained[explainer.name] = self._measure(explanation, conditioning, measured)
        return GroupResult(group, seen.ranking, conditioning, seen.foreground, explained)

    def _see(self, group: ClassGroup, seed: int) -> _SeenGroup:
        """Encode images, find their foreground and predict their classes."""
        text, images = self.knowledge, group.images
        with self.stage("features"), self.costs.measure(None, images=len(images)):
            read = self._value_features if self._needs("needs_patch_values") else self._patch_features
            features, embedding, *values = read(images, self.features)
            require_finite_embeddings(embedding, group.sample_ids, model=self.backbone.name)
        unit = F.normalize(embedding.double(), dim=-1).float()
        foreground = find_foreground(
            features,
            self.backbone.grid,
            images,
            scope=self.scope,
            method=self.saliency,
            refine=self.refine,
            patch_size=self.backbone.patch_size,
            stage=self.stage,
        )
        ranking = self._rank(unit, text.classes)
        context = GroupContext(
            images=images,
            features=features,
            image_embedding=unit,
            bare_embeddings=text.bare,
            prompted_embeddings=text.prompted,
            foreground_patches=foreground.patches,
            foreground_pixels=foreground.pixels,
            seed=seed,
            encode=self._encode_again,
            stage=self.stage,
            backbone=self.backbone,
            class_embedding=text.classes[ranking[:, 0]],
            classes=text.classes,
            mean_embedding=self.mean_embedding,
            patch_values=values[0] if values else None,
            truth=_known_truth(group),
            refine=self.refine,
        )
        around = partial(self.costs.measure, images=len(images))
        return _SeenGroup(foreground, ranking, Explanations(self.explainers, context, around=around))

    def _explain_again(
        self, explainer: Explainer, others: _OtherImages, group: ClassGroup, seed: int
    ) -> ExplainedGroup:
        """Return what one explainer says of a group with other images."""
        seen = others.see(group, seed)
        return self._measure(seen.explanations[explainer.name], self._conditioning(group, seen.ranking), {})

    def _conditioning(self, group: ClassGroup, ranking: Tensor) -> Tensor:
        """Return (B,) int64, the class whose language concepts are used for each image."""
        if self.condition_on == "predicted" or group.class_index is None:
            return ranking[:, 0]
        return torch.full((len(group),), group.class_index, device=ranking.device)

    def _refuse_options_that_need_labels(self) -> None:
        """Raise if the options would give images without labels numbers that mean nothing."""
        wrong = []
        if self.scope != "image":
            wrong.append(
                "--model.scope image (unrelated images have no prominent patches in common), found " + self.scope
            )
        if self.condition_on != "predicted":
            wrong.append(f"--model.condition_on predicted (no true class is known), found {self.condition_on}")
        if wrong:
            raise UsageError(
                f"Expected, for images without labels, {'; and '.join(wrong)}; set it so, or give labelled images."
            )

    def _needs(self, attribute: str) -> bool:
        """Whether an explainer says by an attribute that it needs more than the images of its group."""
        return any(getattr(explainer, attribute, False) for explainer in self.explainers)

    @property
    def knowledge(self) -> TextKnowledge:
        """Text knowledge of the model; known after ``prepare_texts``."""
        if self.text is None:
            raise RuntimeError("Expected prepared texts, found none; call prepare_texts first.")
        return self.text

    def _score(
        self,
        group: ClassGroup,
        explainer: Explainer,
        seen: _SeenGroup,
        conditioning: Tensor,
        again: Callable[[ClassGroup, int], ExplainedGroup],
        *,
        earlier: dict[str, list[Any]],
    ) -> dict[str, list[Any]]:
        """Return the columns of all scorers, those that no explainer changes as measured for an earlier one."""
        measured: dict[str, list[Any]] = {}
        context = seen.explanations.context
        measurable = ScorerContext(
            group=group,
            explanation=seen.explanations[explainer.name],
            foreground=seen.foreground,
            image_embedding=context.image_embedding,
            classes=self.knowledge.classes,
            bare=context.bare_embeddings,
            prompted=context.prompted_embeddings,
            predicted=seen.ranking[:, 0],
            conditioning=conditioning,
            member=self.knowledge.member,
            encode=context.encode,
            seed=context.seed,
            explain_again=again,
            seeded=getattr(explainer, "seeded", False),
            patch_size=self.backbone.patch_size,
        )
        for scorer in self.scorers:
            if earlier and not scorer.needs_explanation:
                measured |= {column: earlier[column] for column in scorer.columns}
                continue
            with self.stage(scorer.name):
                measured |= scorer.score(measurable)
        return measured

    def _measure(
        self, explanation: GroupExplanation, conditioning: Tensor, measured: dict[str, list[Any]]
    ) -> ExplainedGroup:
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
            if self.groups is not None:
                grouped = grouped_curves(
                    vision.ids, vision.counts, text.member, conditioning, self.groups, estimator=self.estimator
                )
                measured = measured | {GROUPED: trim_rows(grouped.curves, grouped.counts + 1)}
        return ExplainedGroup(explanation, hits, curves, chance, entropy, measured)


def _known_truth(group: ClassGroup) -> KnownTruth | None:
    """Return what is known of parts and descriptors; None if either is not."""
    known = group.ground_truth
    if known is None or known.part_masks is None or known.descriptors is None or known.descriptor_parts is None:
        return None
    return KnownTruth(known.part_masks, known.descriptors, known.descriptor_parts)


def _with_metrics_of_scorers(
    metrics: Sequence[ImageMetric] | None, scorers: Sequence[Scorer] | None
) -> list[ImageMetric]:
    """Add to a user's metrics those that scorers bring for their columns."""
    return [*(metrics or ()), *(metric for scorer in scorers or () for metric in getattr(scorer, "metrics", ()))]


def group_seed(seed: int, class_index: int | None, part: int) -> int:
    """Return the seed of a class group, or of images without labels: a function of the run seed and the group alone.

    >>> group_seed(0, 3, 0) == group_seed(0, 3, 0) != group_seed(0, 4, 0)
    True
    """
    owner = "unlabelled" if class_index is None else class_index
    digest = hashlib.sha256(f"{seed}/{owner}/{part}".encode()).digest()
    return int.from_bytes(digest[:6], "little")
