"""Group files of invented runs."""

from pathlib import Path

import pyarrow as pa

from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, write_group


def write_rows(run: Path, rows: list[dict], *, key: str = "00000-000") -> Path:
    """Write a group file; a row names its sample, explainer, curves and ``top1``, the rest is invented."""
    whole = {
        "class_index": 0,
        "class_name": "owl",
        "predicted_index": 0,
        "top5": None,
        "num_parts": 1,
        "descriptor_ids": [],
        "importance": [],
        "part_descriptor_ids": [],
        "hits": [],
        "concept_entropy": 0.0,
    }
    table = pa.Table.from_pylist([{**whole, **row} for row in rows], schema=ROW_SCHEMA)
    write_group(run, GroupRecord(key, table))
    return run


def row(sample_id, curve, chance=None, *, top1=True, explainer="pca"):
    chance = [0.0] * len(curve) if chance is None else chance
    return {"sample_id": sample_id, "explainer": explainer, "curve": curve, "chance_curve": chance, "top1": top1}
