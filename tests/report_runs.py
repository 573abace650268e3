"""Run folders of invented runs of mutual knowledge, whole enough for a page."""

import json
from pathlib import Path

import pyarrow as pa
from group_rows import row
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from result_documents import results

from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, log_group, write_group
from mkbench.systems.records.summary import summarise

BANK = ["striped wings", "four legs", "a long tail"]
#: Text that a page must never take for markup.
HOSTILE = """</style><script>alert("x")</script><img src=x onerror='alert(1)'>"""


def explained_row(sample_id, label, name, curve, *, predicted=None, explainer="pca"):
    """A row of an image whose concepts are the first of the bank."""
    concepts = len(curve) - 1
    return row(sample_id, curve, explainer=explainer, top1=predicted in (None, label)) | {
        "class_index": label,
        "class_name": name,
        "predicted_index": label if predicted is None else predicted,
        "top5": True,
        "num_parts": 2,
        "descriptor_ids": list(range(concepts)),
        "importance": [0.9 - 0.1 * place for place in range(concepts)],
        "part_descriptor_ids": list(range(concepts)),
        "hits": [place == 0 for place in range(concepts)],
        "concept_entropy": 0.5,
    }


def write_run(
    folder: Path,
    label="ViT-B/16",
    *,
    classes=("owl", "bat", "ant"),
    scale=1.0,
    bank=BANK,
    images=2,
    explainers=("pca", "kmeans"),
) -> Path:
    """A finished run: two explainers, `images` images of each class, of which the last is taken for the first class."""
    folder.mkdir(parents=True)
    records = []
    for number, name in enumerate(map(str, classes)):
        curve = [scale * (1 + number), scale * number / 2, 0.0]
        predictions = [number] * (images - 1) + [0]
        rows = [
            explained_row(f"{name}/{image}.png", number, name, curve, predicted=predicted, explainer=explainer)
            for explainer in explainers
            for image, predicted in enumerate(predictions)
        ]
        cases = {"pca": {"no_foreground": int(number == 0), "single_part": 0}}
        records.append(GroupRecord(f"{number:05d}-000", pa.Table.from_pylist(rows, schema=ROW_SCHEMA), cases))
        write_group(folder, records[-1])
        log_group(folder, records[-1], images=images)
    follows = summarise(records)
    document = results(label) | {name: follows[name] for name in ("metrics", "curves", "controls", "fallbacks")}
    document["fallbacks"] |= {"text": {"truncated": 0}}
    recorded = {name: dict(document[name]) for name in ("model", "data", "settings")}
    document["data"] |= {"classes": len(classes), "images": images * len(classes)}
    recorded["data"] = {"name": document["data"]["name"]}
    groups = {record.key: record.rows["sample_id"].unique().to_pylist() for record in records}
    manifest = {"schema_version": 1, "system": "mutual_knowledge", **recorded, "groups": groups}
    write_object(folder / "results.json", document)
    write_object(folder / "manifest.json", manifest)
    write_object(folder / "environment.json", {"images_per_second": 10.0, "versions": {"mkbench": "0.1.0"}})
    write_object(folder / "descriptors.json", list(bank))
    return folder


def write_object(path: Path, content) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_figure(run: Path, name="sample-00000-pca.png", *, title=None, size=(1439, 700)) -> Path:
    """A figure of a run, as wide as those of a page."""
    path = run / "figures" / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, "white").save(path, pnginfo=titled(title))
    return path


def write_regions(figure: Path, *descriptors: str, **changes) -> Path:
    """Where the parts lie in a figure: each a square of a fifth of the image, which has two panels."""
    parts = [
        {"number": place, "descriptors": [text], "outlines": [_square(0.2 * (place - 1))]}
        for place, text in enumerate(descriptors, start=1)
    ]
    panels = [[0.0, 0.1, 0.2, 0.4], [0.5, 0.1, 0.2, 0.4]]
    path = figure.with_suffix(".json")
    write_object(path, {"schema_version": 1, "panels": panels, "parts": parts} | changes)
    return path


def _square(left: float) -> list[list[float]]:
    return [[left, 0.0], [left + 0.2, 0.0], [left + 0.2, 0.2], [left, 0.2]]


def titled(title: str | None) -> PngInfo:
    """Metadata of a figure that says which image it is of."""
    about = PngInfo()
    if title is not None:
        about.add_text("Title", title)
    return about
