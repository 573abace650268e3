"""Two invented runs of one model: its mutual knowledge, and what its heads add."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from group_rows import row, write_rows
from result_documents import results
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.heads import HeadContributions
from mkbench.heads.stored_contributions import write_contributions
from mkbench.runs.finished_runs import Run, read_runs
from mkbench.runs.group_files import write_group
from mkbench.runs.run_folder import write_json
from mkbench.studies.concept_heads.choice import ConceptHeadModel
from mkbench.systems.records.rankings import ranking_record

CLASSES = ("ant", "bee", "cat")
LAYERS = (2, 3)
#: Metrics of heads with intervals of 0.1 on both sides.
OF_HEADS = {"entanglement": 0.25, "association": 0.5, "concept_consistency": 3.5, "ccs@5": 0.125}


def of_model(document: dict[str, Any], fingerprint: str, settings: Mapping[str, Any], data: str) -> dict[str, Any]:
    document["model"]["fingerprint"] = fingerprint
    document["data"] |= {"name": data, "resize": "squash", "class_names_sha256": "abc"}
    document["settings"] = dict(settings)
    return document


def knowledge_run(
    folder: Path,
    images: Mapping[str, Sequence[int]],
    *,
    name: str = "ViT",
    fingerprint: str = "f",
    data: str = "toy",
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write a run of mutual knowledge: image -> its mutual concepts, beside the concept 0, which is none.

    An image is named by its class and a number, such as ``ant/0``.
    """
    values = {"mi": 3.0, "auc": 2.0, "chance": 0.5, "excess": 1.5}
    document = results(name, top1=0.5, pca=values, kmeans=values)
    settings = {"estimator": "paper", "descriptor_template": "a photo showing {}"}
    for image, hits in images.items():
        owner = image.partition("/")[0]
        shown = {"class_index": classes.index(owner), "class_name": owner}
        concepts = {"descriptor_ids": [*hits, 0], "hits": [True] * len(hits) + [False], "importance": [1.0] * len(hits)}
        rows = [{**row(image, [1.0], explainer="pca"), **shown, **concepts}]
        write_rows(folder, rows, key=f"{classes.index(owner):05d}-{len(list(folder.glob('groups/*'))):03d}")
    write_json(folder / "results.json", of_model(document, fingerprint, settings, data))
    return folder


def heads_run(
    folder: Path,
    images: Mapping[str, Tensor],
    *,
    name: str = "ViT",
    fingerprint: str = "f",
    data: str = "toy",
    described: bool = True,
) -> Path:
    """Write a run of heads: image -> what they add, (L, H, d); its embedding has length 2."""
    document = results(name, top1=0.25) | {"system": "head_decomposition"}
    metrics = [{"name": key, "explainer": None, "value": value, "n": 8} for key, value in OF_HEADS.items()]
    for metric in metrics if described else []:
        document["metrics"].append(metric | {"interval": [metric["value"] - 0.1, metric["value"] + 0.1]})
    groups = {f"{index:05d}-000": [one for one in images if one.startswith(name)] for index, name in enumerate(CLASSES)}
    for key, own in groups.items():
        group = ClassGroup(torch.zeros(len(own), 3, 8, 8, dtype=torch.uint8), int(key[:5]), 0, tuple(own))
        if own:
            heads = torch.stack([images[one] for one in own])
            zeros = torch.zeros(len(own), heads.shape[-1])
            embedding = zeros.clone()
            embedding[:, 0] = 2.0
            mlp, attention = zeros[:, None], torch.zeros(*heads.shape[:3], 0)
            terms = HeadContributions(heads, mlp, zeros, zeros, zeros, embedding, attention, LAYERS)
            write_contributions(folder, key, terms, own, fingerprint=fingerprint)
        ranking = torch.zeros(len(own), 3, dtype=torch.int64) if own else None
        write_group(folder, ranking_record(group, ranking, list(CLASSES)))
    settings = {"layers": list(LAYERS)}
    manifest = {
        "system": "head_decomposition",
        "model": {"fingerprint": fingerprint},
        "settings": settings,
        "groups": groups,
    }
    write_json(folder / "manifest.json", manifest)
    document = of_model(document, fingerprint, settings, data) | {
        "system": "head_decomposition",
        "class_names": list(CLASSES),
    }
    write_json(folder / "results.json", document)
    return folder


def change_results(folder: Path, **changes: Any) -> None:
    """Change entries of a run's results; ``data__name="other"`` stands for ``["data"]["name"]``."""
    path = folder / "results.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        section, _, entry = key.rpartition("__")
        (document[section] if section else document)[entry] = value
    write_json(path, document)


def joint_model(knowledge: Path, heads: Path, label: str = "ViT") -> ConceptHeadModel:
    return ConceptHeadModel(label, *read_runs([knowledge, heads]))


def runs_of(*folders: Path) -> list[Run]:
    return read_runs(list(folders))
