"""Zero-shot classification by class names, by descriptors, and by mined descriptors, as a predict-only system."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.backbones.finite import require_finite_embeddings
from mkbench.concepts.description_controls import random_words, shuffle_descriptors
from mkbench.concepts.descriptions import DESCRIPTION_PLACES, DESCRIPTION_TEMPLATE
from mkbench.concepts.mining import descriptor_frequencies, mined_descriptors, nearest_classes
from mkbench.concepts.templates import require_template
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.options import Unpack
from mkbench.errors import UsageError
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.base import BenchmarkSystem, SystemOptions
from mkbench.systems.descriptor_texts import (
    description_variants,
    embed_descriptions,
    find_own_descriptors,
)
from mkbench.systems.mined_descriptor_checks import Split, count_seen, kept_classes, require_same
from mkbench.systems.mined_descriptors import HeldOutRun, ImageId, MinedRun, read_held_out, read_mined
from mkbench.systems.records.descriptor_zero_shot import (
    VARIANTS,
    image_layout,
    image_record,
    summarise_images,
)
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.records.rankings import ranking_rows

#: Classes whose images give a class descriptors, as published.
NEIGHBORS = 2


@dataclass(frozen=True)
class Descriptions:
    """Descriptors and text vectors of every class: prompts, own and mined descriptors.

    Attributes:
        vectors: variant -> (Y, d) float64; an image's similarity to a class is the product with its row.
        own: Y tuples of ids, each class's own descriptors.
        mined: Y tuples of ids, the descriptors mined for each class, whether it keeps them or not.
        neighbors: (Y, up to 2) int64, the classes they were mined from.
        kept: (Y,) bool, which classes use theirs.
        seen: the run they were read from -> how many of the evaluated images it had seen.
    """

    vectors: Mapping[str, Tensor]
    own: Sequence[tuple[int, ...]]
    mined: Sequence[tuple[int, ...]]
    neighbors: Tensor
    kept: Tensor
    seen: Mapping[str, int] = field(default_factory=dict)


class DescriptorZeroShot(BenchmarkSystem):
    """Zero-shot classification by descriptors (Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, Table 2).

    Every image is classified by the prompt ensemble of the class names (``base``), by its mean cosine with the
    descriptions of each class's own descriptors (``descriptors``), and likewise with those that a finished run of
    ``MutualKnowledge`` found in images of the class's two nearest classes added (``mined``). Two controls take the
    place of a class's own descriptors: those of other classes (``shuffled``) and as many words at random (``random``).
    Descriptors that are no better than these say nothing of the classes. A class without descriptors in the bank is
    compared by its prompt ensemble in all of them. The published method does not say how many of the found descriptors
    are taken: here it is the most frequent ones.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration).
        mined_from: run folder of the ``MutualKnowledge`` run to mine; None evaluates without ``mined``.
        held_out_from: folder of a run of this system over held-out images, itself without this option: classes of
            which fewer images were right with mined descriptors than without keep to their own; equally many is no
            reason, nor is a class without held-out images. None: every class uses what was mined for it.
        split: ``train`` refuses to evaluate images that were mined from or held out. ``paper`` is as published:
            mined, chosen and evaluated on the same images, which can flatter the gain.
        mined_explainer: the explainer whose vision concepts are mined.
        mined_per_class: most descriptors that are mined for a class, by the share of images that show them, averaged
            over its neighbors; None takes all that were found.
        template: the description of a ``{class}`` by one ``{descriptor}``.
        control_seed: seed of the descriptors of both controls.
        options: see :class:`BenchmarkSystem`.

    Raises:
        UsageError: options that do not fit each other.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        mined_from: Path | None = None,
        held_out_from: Path | None = None,
        split: Split = "train",
        mined_explainer: str = "pca",
        mined_per_class: int | None = 10,
        template: str = DESCRIPTION_TEMPLATE,
        control_seed: int = 0,
        **options: Unpack[SystemOptions],
    ) -> None:
        require_template("--model.template", template, DESCRIPTION_PLACES)
        if mined_per_class is not None and mined_per_class < 1:
            raise UsageError(f"Expected --model.mined_per_class to be at least 1, found {mined_per_class}.")
        if held_out_from is not None and mined_from is None:
            raise UsageError("Expected --model.mined_from beside --model.held_out_from, found none; name both runs.")
        super().__init__(backbone, **options)
        self.mined_from, self.held_out_from, self.split = mined_from, held_out_from, split
        self.mined_explainer, self.mined_per_class, self.template = mined_explainer, mined_per_class, template
        self.control_seed = control_seed
        self.descriptions: Descriptions | None = None

    @property
    def earlier_runs(self) -> tuple[Path, ...]:
        """Folders of the runs that descriptors are mined from, and that decides about them."""
        return tuple(folder for folder in (self.mined_from, self.held_out_from) if folder is not None)

    @cached_property
    def mined_run(self) -> MinedRun | None:
        """The run that descriptors are mined from."""
        return None if self.mined_from is None else read_mined(self.mined_from, self.mined_explainer)

    @cached_property
    def held_out_run(self) -> HeldOutRun | None:
        """The run that decides which classes use what was mined for them."""
        return None if self.held_out_from is None else read_held_out(self.held_out_from)

    @property
    def variants(self) -> tuple[str, ...]:
        """Text variants that images are compared with in this run."""
        return tuple(variant for variant in VARIANTS if variant != "mined" or self.mined_from is not None)

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""
        mined, held_out = self.mined_run, self.held_out_run
        mining = {} if mined is None else {"explainer": self.mined_explainer, "per_class": self.mined_per_class}
        return {
            "split": self.split,
            "template": self.template,
            "control_seed": self.control_seed,
            "mined_from": None if mined is None else mined.describe() | mining,
            "held_out_from": None if held_out is None else held_out.describe(),
            "chosen": held_out is not None,
            "precision": self.precision,
        }

    @torch.no_grad()
    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode classes and descriptions, and choose what is mined.

        Raises:
            UsageError: images without labels; a bank without classes, or of other classes; runs of another model,
                other data or other settings; images that the split does not allow.
        """
        if not data.labelled:
            raise UsageError("Expected images whose class is known, found some without labels; give labelled ones.")
        own = find_own_descriptors(data)
        seen = self._check_runs(data)
        self.backbone.truncated_texts = 0
        base = self.text_cache.embed_classes(self.backbone, data.class_names, data.templates)
        neighbors = nearest_classes(base, NEIGHBORS).cpu()
        mined, kept = self._mine(neighbors, own, len(data.bank))
        chosen = [extra if keep else () for extra, keep in zip(mined, kept.tolist(), strict=True)]
        vectors = self._vectors(data, base, own, chosen)
        self.descriptions = Descriptions(vectors, own, mined, neighbors, kept, seen)

    def _vectors(
        self, data: ClassGroupDataModule, base: Tensor, own: Sequence[tuple[int, ...]], mined: Sequence[tuple[int, ...]]
    ) -> dict[str, Tensor]:
        """Return what an image is compared with: variant of this run -> (Y, d)."""
        of_own, of_mined = (
            [[data.bank.descriptors[place] for place in of_class] for of_class in ids] for ids in (own, mined)
        )
        texts: dict[str, Sequence[Sequence[str]]] = {
            "own": of_own,
            "mined": of_mined,
            "shuffled": shuffle_descriptors(of_own, seed=self.control_seed),
            "random": random_words(of_own, seed=self.control_seed),
        }
        embedded = {
            name: embed_descriptions(self.backbone, data.class_names, descriptors, self.template, self.text_cache)
            for name, descriptors in texts.items()
        }
        vectors = description_variants(base, **embedded)
        return {variant: vectors[variant] for variant in self.variants}

    def _check_runs(self, data: ClassGroupDataModule) -> dict[str, int]:
        """Check the runs that this one relies on; return how many of its images each of them had seen."""
        if self.mined_run is None:
            return {}
        described = data.describe()
        shared = {
            "class_names_sha256": described["class_names_sha256"],
            "bank": {"sha256": described["bank"]["sha256"]},
        }
        wanted = {"model": {"fingerprint": self.backbone.fingerprint}, "data": shared}
        require_same(self.mined_run.folder, self.mined_run.results, wanted, option="--model.mined_from")
        runs: dict[str, Collection[ImageId]] = {"mined_from": self.mined_run.images}
        if self.held_out_run is not None:
            wanted["data"] = shared | {key: described[key] for key in ("templates", "resize")}
            later = ("held_out_from", "chosen")  # the held-out run has none of these
            wanted["settings"] = {key: value for key, value in self.settings().items() if key not in later}
            require_same(self.held_out_run.folder, self.held_out_run.results, wanted, option="--model.held_out_from")
            runs["held_out_from"] = self.held_out_run.images
        evaluated = {(data.name, sample_id) for spec in data.specs for sample_id in spec.sample_ids}
        return count_seen(evaluated, runs, self.split)

    def _mine(
        self, neighbors: Tensor, own: Sequence[tuple[int, ...]], bank_size: int
    ) -> tuple[list[tuple[int, ...]], Tensor]:
        """Return what is mined for every class, nothing for one without descriptors of its own, and who keeps it."""
        classes, run = len(own), self.mined_run
        if run is None:
            return [()] * classes, torch.zeros(classes, dtype=torch.bool)
        frequencies = descriptor_frequencies(
            run.class_index, run.counts, run.ids, num_classes=classes, bank_size=bank_size
        )
        found = mined_descriptors(frequencies, neighbors, own, self.mined_per_class)
        mined = [extra if ids else () for extra, ids in zip(found, own, strict=True)]
        return mined, kept_classes(run, self.held_out_run, self.split, classes)

    @property
    def known(self) -> Descriptions:
        """Text vectors of every class; known after ``prepare``."""
        if self.descriptions is None:
            raise RuntimeError("Expected prepared texts, found none; call prepare first.")
        return self.descriptions

    # -- images ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def answer(self, group: ClassGroup) -> dict[str, Tensor]:
        """Classify a class group: variant -> (B, up to 5) nearest classes."""
        embedding = self._encode(group.images)
        require_finite_embeddings(embedding, group.sample_ids, model=self.backbone.name)
        unit = F.normalize(embedding.double(), dim=-1)
        return {variant: self._rank(unit, vectors) for variant, vectors in self.known.vectors.items()}

    # -- what a run folder asks -------------------------------------------------------------------------------------

    def record(self, group: ClassGroup, answer: dict[str, Tensor] | None, class_names: Sequence[str]) -> GroupRecord:
        """Return the rows of a group, one for each image."""
        return image_record(group, answer or {}, class_names, self.variants)

    def metric_layout(self) -> Layout:
        """Return the accuracy of every variant, and a user's own metrics."""
        return image_layout(self.variants, self.own_metrics)

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the model."""
        return ranking_rows(rows)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return metrics, differences, what was mined for every class, and how often which rule applied."""
        known = self.known
        classes = [
            {
                "name": data.class_names[index],
                "neighbors": [data.class_names[other] for other in known.neighbors[index].tolist()],
                "mined": [data.bank.descriptors[place] for place in known.mined[index]],
                "kept": bool(known.kept[index]),
            }
            for index in range(len(known.own))
        ]
        counts = {"no_descriptors": sum(not ids for ids in known.own)}
        summary = summarise_images(records, self.own_metrics) | {"fallbacks": {"descriptions": counts}}
        if self.mined_run is not None:
            counts |= {"nothing_mined": sum(not ids for ids in known.mined), "hurt": int((~known.kept).sum())}
            summary["mining"] = {"seen": dict(known.seen), "classes": classes}
        return summary
