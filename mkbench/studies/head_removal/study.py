"""Head removal: worst-group accuracy of embeddings without chosen heads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mkbench.datamodules.backgrounds import find_backgrounds
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import UsageError
from mkbench.heads.head_pruning import matched_random_sets
from mkbench.heads.head_pruning_effects import Classifier
from mkbench.heads.head_removal import remove_heads
from mkbench.heads.head_values import Head
from mkbench.heads.store import ContributionStore, open_store
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import HEAD_REMOVAL, write_json
from mkbench.studies.head_removal.choice import RemovalOptions, choose_heads
from mkbench.studies.head_removal.probe import fit_probe_of_run
from mkbench.studies.head_removal.scores import ALL, RANDOM, WITHOUT, HeadSets, ImageGroups, compare_sets
from mkbench.studies.own_weights import require_own_weights
from mkbench.systems.head_decomposition import HeadDecomposition

SCHEMA_VERSION = 1


def remove_from_run(
    run: Path,
    system: HeadDecomposition,
    data: ClassGroupDataModule,
    options: RemovalOptions,
    *,
    probe: Path | None = None,
) -> dict[str, Any]:
    """Classify the images of a run by all heads, without some, and without as many random ones of the same layers.

    A group is what kinds of classes have which background, such as land birds on water. Removed is what heads add to
    the embedding directly. Writes ``head_removal.json`` to the run; the same run and options give the same bytes.

    Zero-shot classification need not use the background at all: a model that was trained on images whose background
    tells nothing of the class, as the bundled ones, has no reason to. The probe has, if it was fitted on images where
    the two are tied.

    Args:
        run: folder of a finished run of ``HeadDecomposition`` over data that tells backgrounds.
        system: that of the run.
        data: that of the run.
        options: which heads, and how.
        probe: folder of a run of the same model over tied images, from which a linear probe is fitted; None leaves
            the probe out.

    Returns:
        What was written: ``settings``, ``images``, ``groups`` (``name`` and ``images``), and ``classifiers``, each with
        ``name``, ``sets`` and ``scan``, see ``compare_sets``.

    Raises:
        UsageError: runs, options or data that do not fit.
        DataError: a damaged file, or other weights than those of the run.
    """
    store, results = open_store(run), read_results(run)
    require_own_weights(run, results, system)
    groups = tell_groups(store, data)
    heads = choose_heads(run, store, options)
    fitted = None if probe is None else fit_probe_of_run(probe, store, results)
    system.prepare_classes(results["class_names"], results["data"]["templates"])
    classifiers: dict[str, Classifier] = {"zero-shot": lambda embeddings: system.classify(embeddings)[:, 0].cpu()}
    if fitted is not None:
        classifiers["linear probe"] = fitted.classify
    sets, disjoint = _head_sets(store, heads, options)
    correct = _classify(store, sets, classifiers, mean=options.ablation == "mean")
    sizes = torch.bincount(groups.of_images).tolist()
    document = {
        "schema_version": SCHEMA_VERSION,
        "settings": {
            "label": options.label,
            "fits": options.fits,
            "heads": [list(head) for head in heads],
            "ablation": options.ablation,
            "seeds": options.seeds,
            "random_heads": "others" if disjoint else "any",
            "probe": None if fitted is None else {"data": fitted.data, "images": fitted.images},
        },
        "images": store.num_images,
        "groups": [{"name": name, "images": size} for name, size in zip(groups.names, sizes, strict=True)],
        "classifiers": [{"name": name, **compare_sets(values, groups, sets)} for name, values in correct.items()],
    }
    write_json(run / HEAD_REMOVAL, document)
    return document


def tell_groups(store: ContributionStore, data: ClassGroupDataModule) -> ImageGroups:
    """Return the groups that the images of a run fall into: class and background are the tied one or not.

    Raises:
        UsageError: the class or the background of an image is not known.
    """
    source = find_backgrounds(data.source, of=data.name)
    classes = store.class_index.tolist()
    pairs = [
        (None, None) if label < 0 else (source.habitat(label), source.background(label, sample_id))
        for label, sample_id in zip(classes, store.sample_ids, strict=True)
    ]
    unknown = [sample_id for sample_id, pair in zip(store.sample_ids, pairs, strict=True) if None in pair]
    if unknown:
        raise UsageError(
            f"Expected images whose class and background are known, found {len(unknown)} of {data.name} without "
            f"(such as {unknown[0]!r}); of Critters, take those with --data.split background."
        )
    there = sorted(set(pairs), key=str)
    return ImageGroups(
        names=tuple(f"{habitat} on {background}" for habitat, background in there),
        tied=tuple(habitat == background for habitat, background in there),
        of_images=torch.tensor([there.index(pair) for pair in pairs]),
    )


def _head_sets(store: ContributionStore, heads: Sequence[Head], options: RemovalOptions) -> tuple[HeadSets, bool]:
    """Return the sets to compare, and whether the random ones lie outside the chosen one, as far as there is room."""
    drawn = matched_random_sets(heads, num_heads=store.num_heads, seeds=range(options.seeds))
    single = tuple((layer, head) for layer in store.layers for head in range(store.num_heads))
    return HeadSets({ALL: ((),), WITHOUT: (tuple(heads),), RANDOM: drawn.sets}, single), drawn.disjoint


def _classify(
    store: ContributionStore, sets: HeadSets, classifiers: Mapping[str, Classifier], *, mean: bool
) -> dict[str, Tensor]:
    """Return for each classifier (S, K) bool: is an image classified rightly without the heads of a set?"""
    predicted: dict[str, list[Tensor]] = {name: [] for name in classifiers}
    for rows in remove_heads(store, sets.listed, means=store.mean() if mean else None):  # (S, B, d)
        for name, classify in classifiers.items():
            predicted[name].append(classify(rows.flatten(0, 1)).view(rows.shape[:2]))
    return {name: torch.cat(parts, dim=1).eq(store.class_index) for name, parts in predicted.items()}
