"""Records of an invented run that explains images."""

import numpy as np
import pyarrow as pa

from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord


def make_records(seed=0, groups=6, images=4):
    """Records with random curves of random lengths; the last entry of a curve is 0."""
    rng = np.random.default_rng(seed)
    records = []
    for index in range(groups):
        rows = []
        for image in range(images):
            top1 = bool(rng.random() < 0.4)
            for explainer in ("pca", "kmeans"):
                length = int(rng.integers(0, 7))
                row = {
                    "sample_id": f"{index}/{image}",
                    "class_index": index,
                    "class_name": f"class {index}",
                    "explainer": explainer,
                    "predicted_index": 0,
                    "top1": top1,
                    "top5": top1 or image % 2 == 0,
                    "num_parts": length,
                    "descriptor_ids": list(range(length)),
                    "importance": [0.5] * length,
                    "part_descriptor_ids": list(range(length)),
                    "hits": [True] * length,
                    "curve": [*np.sort(rng.random(length))[::-1].tolist(), 0.0],
                    "chance_curve": [*np.sort(rng.random(length) / 3)[::-1].tolist(), 0.0],
                    "concept_entropy": float(rng.random()),
                }
                rows.append(row)
        fallbacks = {"pca": {"no_foreground": index}, "foreground": {"crf_empty": 1}}
        unreadable = (f"{index}/x: truncated",) if index % 2 else ()
        records.append(
            GroupRecord(f"{index:05d}-000", pa.Table.from_pylist(rows, schema=ROW_SCHEMA), fallbacks, unreadable)
        )
    return records
