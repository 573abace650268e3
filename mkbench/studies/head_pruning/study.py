"""Accuracy of a model while some of its attention heads are pruned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mkbench.backbones.towers.find_tower import find_tower
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.heads.head_pruning_effects import PruningEffect, pruning_effects
from mkbench.heads.head_values import Head
from mkbench.heads.store import open_store
from mkbench.metrics.functional.bootstrap import bootstrap_means
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import PRUNING, write_json
from mkbench.studies.head_pruning.choice import PruningOptions, choose_sets
from mkbench.studies.head_removal.scores import estimate_change, estimate_sets, estimate_share
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_batches
from mkbench.systems.head_decomposition import HeadDecomposition

SCHEMA_VERSION = 1


def prune_run(
    run: Path,
    system: HeadDecomposition,
    data: ClassGroupDataModule,
    options: PruningOptions,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """Classify the images of a run zero-shot with all heads, without some, and without as many random ones.

    The heads are ablated in the running model, so that later layers see their absence: the total effect. What
    ``remove_from_run`` takes out of the embeddings is the direct effect alone. Writes ``head_pruning.json`` to the
    run; the same run and options give the same bytes.

    Args:
        run: folder of a finished run of ``HeadDecomposition``, with the ``labels.json`` of ``mkbench heads`` unless
            heads are named.
        system: that of the run.
        data: that of the run.
        options: which heads, and how much is measured.
        progress: draw a bar on standard error.

    Returns:
        What was written: ``settings``, ``images``, ``all_heads`` (top-1, a share 0..1, higher is better), ``sets``,
        each with ``name``, ``description``, ``heads``, ``random_heads`` (from where: ``others`` or ``any``),
        ``random_sets`` and ``scores``, see ``score_effect``, and ``notes``.

    Raises:
        UsageError: a run, options or data that do not fit.
        DataError: a damaged file, other weights or other images than those of the run.

    Source: Madasu et al., EMNLP 2025 (arXiv 2503.11103).
    """
    store, results = open_store(run), read_results(run)
    require_own_weights(run, results, system)
    tower = find_tower(system.backbone)
    num_heads = tower.layers[0].attention.num_heads
    sets = choose_sets(run, options, layers=range(len(tower.layers)), num_heads=num_heads)
    present = {name: heads for name, heads in sets.items() if heads}
    system.prepare_classes(results["class_names"], results["data"]["templates"])
    effects = pruning_effects(
        system.backbone,
        run_batches(system, data, store.sample_ids, images_per_class=options.images_per_class, progress=progress),
        lambda embeddings: system.classify(embeddings)[:, 0].cpu(),
        list(present.values()),
        seeds=range(options.seeds),
    )
    scores = [score_effect(effect) for effect in effects]
    document = {
        "schema_version": SCHEMA_VERSION,
        "settings": _settings(options),
        "images": len(effects[0].full),
        "all_heads": scores[0]["all_heads"],
        "sets": [
            {"name": name, "description": options.described[name], **_describe(heads, effect), "scores": own}
            for (name, heads), effect, own in zip(present.items(), effects, scores, strict=True)
        ],
        "notes": [
            f"No head has {options.described[name]}; that set is left out." for name, heads in sets.items() if not heads
        ],
    }
    write_json(run / PRUNING, document)
    return document


def _settings(options: PruningOptions) -> dict[str, Any]:
    by_score = not options.heads
    return {
        "high": options.high if by_score else None,
        "low": options.low if by_score else None,
        "seeds": options.seeds,
        "images_per_class": options.images_per_class,
    }


def _describe(heads: tuple[Head, ...], effect: PruningEffect) -> dict[str, Any]:
    return {
        "heads": [list(head) for head in heads],
        "random_heads": "others" if effect.random_sets.disjoint else "any",
        "random_sets": [[list(head) for head in drawn] for drawn in effect.random_sets.sets],
    }


def score_effect(effect: PruningEffect) -> Mapping[str, dict[str, Any]]:
    """Return top-1 with all heads and without some, shares 0..1, higher is better, and how they differ.

    Args:
        effect: of at least one image.

    Returns:
        ``all_heads``, ``without`` the set, and without ``random`` sets: their mean, and of several their ``range``.
        ``change`` and ``random_change`` against all heads, and ``change_from_random`` of the set against the mean of
        the random ones, -1..1, below 0 where accuracy is lost. Each has a ``value`` and its 95 % ``interval`` over
        images: Wilson's of a share, the bootstrap's of the mean of random sets and, paired, of changes.

    >>> from mkbench.heads import RandomSets
    >>> right, wrong = torch.tensor([True, True]), torch.tensor([False, False])
    >>> random = torch.stack([right, wrong])
    >>> scores = score_effect(PruningEffect(right, wrong, random, RandomSets((((3, 0),), ((3, 1),)), True)))
    >>> scores["change"], scores["change_from_random"]["value"], scores["random"]["range"]
    ({'value': -1.0, 'interval': [-1.0, -1.0]}, -0.5, [0.0, 1.0])
    """
    correct = torch.cat([effect.full[None], effect.pruned[None], effect.random]).double()  # (2 + seeds, K)
    values, draws = correct.mean(dim=1, keepdim=True), bootstrap_means(correct.T)[..., None]
    full, pruned, random = slice(0, 1), slice(1, 2), slice(2, None)
    compared = {"change": (pruned, full), "random_change": (random, full), "change_from_random": (pruned, random)}
    shares = {"all_heads": effect.full, "without": effect.pruned}
    return {
        **{name: estimate_share(int(right.sum()), len(right)) for name, right in shares.items()},
        "random": estimate_sets(values[random], draws[:, random])[0],
        **{name: estimate_change(values, draws, *rows)[0] for name, rows in compared.items()},
    }
