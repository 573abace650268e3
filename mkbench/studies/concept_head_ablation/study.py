"""Ablation of concept heads: what classes lose without the head that carries most of their mutual concepts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import UsageError
from mkbench.heads.concept_head_losses import class_losses, compare_losses
from mkbench.heads.head_pruning_effects import measure_without
from mkbench.heads.head_removal import remove_heads
from mkbench.heads.head_values import Head
from mkbench.heads.store import open_store
from mkbench.runs.finished_runs import read_runs
from mkbench.runs.group_files import read_columns
from mkbench.runs.run_folder import CONCEPT_HEAD_ABLATION, write_json
from mkbench.studies.concept_heads.choice import ConceptHeadModel, join_models
from mkbench.studies.concept_heads.study import ClassConceptHeads, EmbedBank, find_class_heads
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_batches
from mkbench.systems.head_decomposition import HeadDecomposition

SCHEMA_VERSION = 1
#: What is lost: the margin of the true class, as a cosine; and whether the image is classified rightly.
MEASURES = ("margin", "top1")


def ablate_concept_heads(
    run: Path,
    knowledge: Path,
    system: HeadDecomposition,
    data: ClassGroupDataModule,
    embed: EmbedBank,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """Ablate every head of a run, one at a time, and ask which classes suffer without which.

    A head is taken out of the embedding (the direct effect), and ablated in the running model, so that later layers see
    its absence (the total effect). Concept heads are found on the images that both runs share; losses are measured on
    the other images of the run of heads where every class has some, else on all. Writes
    ``concept_head_ablation.json`` to the run of heads; the same runs give the same bytes.

    Args:
        run: folder of a finished run of ``HeadDecomposition``.
        knowledge: that of a run of ``MutualKnowledge`` of the same model.
        system: that of the run of heads.
        data: that of the run of heads.
        embed: encodes the concept bank.
        progress: draw a bar on standard error.

    Returns:
        What was written: ``images``, ``held_out`` (whether the images are others than those that the
        heads were found on), ``full`` (the mean of each measure with all heads), ``effects``, each with ``explainer``,
        ``effect`` (``total`` or ``direct``), ``measure``, ``heads`` (``class``, ``layer`` and ``head`` of each class
        with mutual concepts) and ``scores``, see ``compare_losses``; and ``notes``.

    Raises:
        UsageError: runs or data that do not fit, fewer than two classes with mutual concepts, or layers of one head.
        DataError: a damaged file, other weights or other images than those of the run.
    """
    model = _join(run, knowledge)
    found, notes = find_class_heads(model, embed)
    store, results = open_store(run), model.heads.results
    require_own_weights(run, results, system)
    if store.num_heads < 2 or not any(len(one.known()) > 1 for one in found):
        raise UsageError(
            f"Expected several heads in a layer, and at least two classes with mutual concepts, found "
            f"{store.num_heads} and {max((len(one.known()) for one in found), default=0)} in {run.as_posix()}; take "
            "other runs."
        )
    system.prepare_classes(results["class_names"], results["data"]["templates"])
    sets: list[tuple[Head, ...]] = [()]
    sets += [((layer, head),) for layer in store.layers for head in range(store.num_heads)]
    classes = store.class_index

    def measure(embeddings: Tensor, of_class: Tensor) -> Tensor:
        margins = system.class_margins(embeddings, of_class).cpu()
        return torch.stack([margins, system.classify(embeddings)[:, 0].cpu().eq(of_class).double()], dim=-1)

    batches = run_batches(system, data, store.sample_ids, progress=progress)
    values = {"total": measure_without(system.backbone, batches, measure, sets)}
    values["direct"] = torch.cat(
        [
            torch.stack([measure(each, own) for each in rebuilt])
            for rebuilt, own in _with_classes(remove_heads(store, sets), classes)
        ],
        dim=1,
    )  # (sets, images, measures)
    kept, held_out = _held_out(model, store.sample_ids, classes)
    document = {
        "schema_version": SCHEMA_VERSION,
        "images": int(kept.sum()),
        "held_out": held_out,
        "full": dict(zip(MEASURES, values["total"][0][kept].mean(dim=0).tolist(), strict=True)),
        "effects": [
            _describe(one, effect, place, own[:, kept, place], classes[kept], num_heads=store.num_heads)
            for one in found
            if len(one.known()) > 1
            for effect, own in values.items()
            for place in range(len(MEASURES))
        ],
        "notes": list(notes),
    }
    write_json(run / CONCEPT_HEAD_ABLATION, document)
    return document


def _join(run: Path, knowledge: Path) -> ConceptHeadModel:
    models, notes = join_models(read_runs([knowledge, run]))
    if len(models) != 1:
        raise UsageError(
            f"Expected runs of heads and of mutual knowledge of one model, found other ones at {run.as_posix()} and "
            f"{knowledge.as_posix()} ({' '.join(notes) or 'both of one system'}); give --knowledge such a run."
        )
    return models[0]


def _with_classes(rebuilt: Iterator[Tensor], classes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Give rebuilt embeddings (S, B, d) of all images in their order the classes (B,) of the images."""
    start = 0
    for embeddings in rebuilt:
        yield embeddings, classes[start : start + embeddings.shape[1]]
        start += embeddings.shape[1]


def _held_out(model: ConceptHeadModel, sample_ids: Sequence[str], classes: Tensor) -> tuple[Tensor, bool]:
    """Return (K,) bool, the images to measure on, and whether the concept heads were found on others."""
    same_data = model.knowledge.results["data"]["name"] == model.heads.results["data"]["name"]
    seen = set(read_columns(model.knowledge.folder, ("sample_id",))["sample_id"].to_pylist()) if same_data else set()
    fresh = torch.tensor([sample_id not in seen for sample_id in sample_ids])
    if set(classes[fresh].tolist()) == set(classes.tolist()) and not fresh.all():
        return fresh, True
    return torch.ones_like(fresh), False


def _describe(
    found: ClassConceptHeads,
    effect: str,
    place: int,
    values: Tensor,
    classes: Tensor,
    *,
    num_heads: int,
) -> dict[str, Any]:
    """Return the scores of an explainer's concept heads.

    Args:
        found: the concept heads.
        effect: ``total`` or ``direct``.
        place: of the measure.
        values: (1 + G, K) of all heads, and without each.
        classes: (K,) of the images.
        num_heads: heads of a layer.
    """
    known = found.known()
    best = found.concept_heads.scores.flatten(1)[known].argmax(dim=1).tolist()
    losses = class_losses(values[0], values[1:], classes, [found.indices[one] for one in known])
    heads = [
        {"class": found.classes[one], "layer": found.layers[head // num_heads], "head": head % num_heads}
        for one, head in zip(known, best, strict=True)
    ]
    return {
        "explainer": found.explainer,
        "effect": effect,
        "measure": MEASURES[place],
        "heads": heads,
        "scores": compare_losses(losses, best, num_heads=num_heads),
    }
