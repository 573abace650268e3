"""Heads with ground truth: which factor of a rendered image each head writes, and whether labels and maps say so."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mkbench.concepts.linalg import unit_rows
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.ground_truth import GroupGroundTruth
from mkbench.errors import UsageError
from mkbench.heads.factor_shares import description_directions, text_energy
from mkbench.heads.head_factors import (
    HeadFactors,
    PairMoves,
    find_factors,
    route_shares,
    score_labels,
    score_maps_of_parts,
    score_routes,
)
from mkbench.heads.head_values import Head, embedding_lengths
from mkbench.heads.part_maps import PartMapScores, score_part_maps
from mkbench.heads.store import open_store
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import HEAD_TRUTH, write_json
from mkbench.studies.head_queries.choice import read_properties
from mkbench.studies.head_truth.choice import TruthOptions, changing_data, load_factor_labels, named_factors
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_groups
from mkbench.systems.head_decomposition import HeadDecomposition

SCHEMA_VERSION = 1


class GroupTruth(NamedTuple):
    """What heads write of the images of one class group, and of the same images with one thing changed.

    Attributes:
        moves: of its images.
        part_maps: of the images as they are.
    """

    moves: PairMoves
    part_maps: PartMapScores


def measure_head_truth(
    run: Path,
    system: HeadDecomposition,
    data: ClassGroupDataModule,
    options: TruthOptions,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """Compare what the heads of a run write with what is changed in its images, and where its parts are.

    Every image is decomposed again with one factor changed at a time. Writes ``head_truth.json`` to the run; the same
    run and options give the same bytes.

    Args:
        run: folder of a finished run of ``HeadDecomposition``, with the ``labels.json`` of ``mkbench heads``.
        system: that of the run.
        data: that of the run: Critters, or data with changed images in its ground truth.
        options: how much is measured.
        progress: draw a bar on standard error.

    Returns:
        What was written. ``settings``, ``images``, ``factors``; ``heads``, each with ``layer``, ``head``, ``label``,
        ``named`` (the factors that its label names), ``most`` and ``specific`` (the factor with the largest share, and
        the one whose share exceeds that of the average head most; None for a head that nothing changes), ``permuted``
        (the mean largest share with permuted factors), ``separates`` (whether the largest share is above 97.5 % of
        those), ``shares`` and ``routes`` by factor. ``labels``: ``most`` and ``specific``, see ``score_labels``;
        ``routes``, see ``score_routes``; ``parts``, see ``score_maps_of_parts``.

    Raises:
        UsageError: a run, options or data that do not fit, or heads without labels.
        DataError: a damaged file, other weights or other images than those of the run.
    """
    store, results = open_store(run), read_results(run)
    require_own_weights(run, results, system)
    labels = read_properties(run, store.layers)
    changing = changing_data(data)
    system.prepare_classes(results["class_names"], results["data"]["templates"])
    texts = system.text_cache.embed_bank(system.backbone, changing.bank.descriptors, "{}")
    groups = run_groups(
        system,
        changing,
        store.sample_ids,
        images_per_class=options.images_per_class,
        with_ground_truth=True,
        progress=progress,
    )
    found: list[GroupTruth] = []
    factors: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    for spec, group in groups:
        if len(group):
            known = _require_changes(group)
            found.append(measure_group(system, group, known, texts, class_index=spec.listed_under))
            factors, parts = known.factors, known.part_names
    moves = PairMoves(*(torch.cat(each) for each in zip(*(one.moves for one in found), strict=True)))
    maps = PartMapScores(*(torch.cat(each) for each in zip(*(one.part_maps for one in found), strict=True)))
    document = describe_truth(moves, factors, labels, layers=store.layers, num_heads=store.num_heads)
    document = {
        "schema_version": SCHEMA_VERSION,
        "settings": {"images_per_class": options.images_per_class},
        **document,
        "parts": score_maps_of_parts(maps, moves.classes, parts),
    }
    write_json(run / HEAD_TRUTH, document)
    return document


def _require_changes(group: ClassGroup) -> GroupGroundTruth:
    known = group.ground_truth
    if known is None or len(known.factors) < 2 or known.part_masks is None or known.descriptor_parts is None:
        raise UsageError(
            f"Expected images of which two things or more are changed one at a time, with true parts and descriptors, "
            f"found none in the group {group.key}; take a run over Critters."
        )
    return known


@torch.no_grad()
def measure_group(
    system: HeadDecomposition, group: ClassGroup, known: GroupGroundTruth, texts: Tensor, *, class_index: int
) -> GroupTruth:
    """Decompose the images of a group and their changed ones.

    Args:
        system: ready to decompose.
        group: B images.
        known: their ground truth, with F changed images each.
        texts: (D, d) unit embeddings of the descriptors.
        class_index: what the images count as in intervals.
    """
    known = known.map_tensors(lambda tensor: tensor.to(system.device))
    images, changed = group.images.to(system.device), _present(known.changed_images)
    before, before_whole = _decompose(system, images)  # (B, G, d), (B, d)
    after, after_whole = (
        each.view(*changed.shape[:2], *each.shape[1:]) for each in _decompose(system, changed.flatten(0, 1))
    )
    texts = texts.to(before)
    truth, truth_after = _present(known.descriptors), _present(known.changed_descriptors)
    directions = description_directions(truth, truth_after, texts)  # (B, F, d)
    change, whole = after - before[:, None], after_whole - before_whole[:, None]
    moves = PairMoves(
        energies=text_energy(change, texts).cpu(),
        along=torch.einsum("bfgd,bfd->bfg", change, directions).cpu(),
        whole=torch.einsum("bfd,bfd->bf", whole, directions).cpu(),
        classes=torch.full((len(images),), class_index),
    )
    return GroupTruth(moves, _score_maps(system, images, known, part_directions(known, texts)))


def part_directions(known: GroupGroundTruth, texts: Tensor) -> Tensor:
    """Return the direction of each part: the mean of the descriptors that an image shows of it, less that of the bank.

    Args:
        known: of B images with P parts.
        texts: (D, d) unit embeddings of the descriptors.

    Returns:
        (B, P, d) unit rows, in the precision of the texts; zeros for a part of which no descriptor is true.
    """
    parts = torch.arange(len(known.part_names), device=texts.device)
    of_part = _present(known.descriptor_parts) == parts[:, None]  # (parts, bank)
    shown = (_present(known.descriptors)[:, None] & of_part).to(texts)  # (images, parts, bank)
    sums = shown @ (texts - texts.mean(dim=0))
    return unit_rows(sums)


def _decompose(system: HeadDecomposition, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what heads add (n, G, d) and the embeddings (n, d), both float64, scaled to embeddings of length 1."""
    heads, whole = [], []
    for chunk in torch.split(images, system.encoder_chunk):
        terms = system.decomposer(chunk, layers=system.layers)
        lengths = embedding_lengths(terms.embedding).double()
        heads.append(terms.heads.flatten(1, 2).double() / lengths[:, None, None])
        whole.append(terms.embedding.double() / lengths[:, None])
    return torch.cat(heads), torch.cat(whole)


def _score_maps(
    system: HeadDecomposition, images: Tensor, known: GroupGroundTruth, directions: Tensor
) -> PartMapScores:
    pieces = zip(
        *(torch.split(each, system.encoder_chunk) for each in (images, directions, _present(known.part_masks))),
        strict=True,
    )
    scores = [
        score_part_maps(
            system.decomposer.read_tokens(chunk),
            towards,
            masks,
            grid=system.backbone.grid,
            patch_size=system.backbone.patch_size,
        )
        for chunk, towards, masks in pieces
    ]
    return PartMapScores(*(torch.cat(each).cpu() for each in zip(*scores, strict=True)))


def _present(value: Tensor | None) -> Tensor:
    if value is None:
        raise UsageError("Expected ground truth with changed images and their descriptors, found none; take Critters.")
    return value


def describe_truth(
    moves: PairMoves,
    factors: Sequence[str],
    labels: dict[Head, str],
    *,
    layers: Sequence[int],
    num_heads: int,
) -> dict[str, Any]:
    """Return what follows from the changes of heads, as JSON; see :func:`measure_head_truth`.

    Args:
        moves: of F factors and G heads, layer after layer.
        factors: their names.
        labels: the property of each head that has one.
        layers: those of the heads.
        num_heads: of each layer.
    """
    words = load_factor_labels()
    by_factor = {factor: words.get(factor, ()) for factor in factors}
    heads = [(layer, head) for layer in layers for head in range(num_heads)]
    named = [named_factors(labels.get(head), by_factor) for head in heads]
    places = [[factors.index(factor) for factor in each] for each in named]
    found, routes = find_factors(moves), route_shares(moves)
    entries = [
        {
            "layer": layer,
            "head": head,
            "label": labels.get((layer, head)),
            "named": list(named[place]),
            **_describe_head(found, routes, factors, place),
        }
        for place, (layer, head) in enumerate(heads)
    ]
    written = {"most": found.most.tolist(), "specific": found.specific.tolist()}
    return {
        "images": len(moves.classes),
        "factors": list(factors),
        "heads": entries,
        "labels": {name: score_labels(places, each) for name, each in written.items()},
        "routes": score_routes(moves, places),
    }


def _describe_head(found: HeadFactors, routes: Tensor, factors: Sequence[str], place: int) -> dict[str, Any]:
    shares, intervals = found.shares[:, place], found.intervals[:, :, place]
    most = int(found.most[place])
    moves = not bool(shares.isnan().any())
    return {
        "most": factors[most] if moves else None,
        "specific": factors[int(found.specific[place])] if moves else None,
        "permuted": _number(found.permuted[place]),
        "separates": bool(shares[most] > found.bound[place]),
        "shares": {
            factor: {"value": _number(shares[at]), "interval": [_number(bound) for bound in intervals[:, at]]}
            for at, factor in enumerate(factors)
        },
        "routes": {factor: _number(routes[at, place]) for at, factor in enumerate(factors)},
    }


def _number(value: Tensor) -> float | None:
    """Return a number of JSON; None where there is none."""
    number = float(value)
    return number if math.isfinite(number) else None
