"""Time and memory of building the results of a run anew from its group files.

    python -m benchmarks.rebuild --rows 100000

Two explainers and 50 images a group, 15 concepts an image, each with its curve and its chance curve: the rows of a run
with the published settings, of random values.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import torch

from mkbench.cli.doctor.measurement import peak_memory
from mkbench.runs.group_files import ROW_SCHEMA, GroupFiles, GroupRecord, finished_groups, log_group, write_group
from mkbench.systems.records.summary import summarise

EXPLAINERS, IMAGES_OF_A_GROUP, CONCEPTS = ("pca", "kmeans"), 50, 15
BANK, CPU = 4229, torch.device("cpu")


def random_row(draw: random.Random, *, class_index: int, image: int, explainer: str) -> dict[str, object]:
    """Return a row of random values with lists as long as the published settings give."""
    top1 = draw.random() < 0.7
    ids = draw.sample(range(BANK), CONCEPTS)
    falling = sorted((draw.random() for _ in range(CONCEPTS)), reverse=True)
    return {
        "sample_id": f"class-{class_index:05d}/{image:05d}.jpg",
        "class_index": class_index,
        "class_name": f"class {class_index}",
        "explainer": explainer,
        "predicted_index": class_index if top1 else class_index + 1,
        "top1": top1,
        "top5": True,
        "num_parts": 5,
        "descriptor_ids": ids,
        "importance": falling,
        "part_descriptor_ids": ids,
        "hits": [draw.random() < 0.3 for _ in range(CONCEPTS)],
        "curve": [*falling, 0.0],
        "chance_curve": [*(value / 2 for value in falling), 0.0],
        "concept_entropy": draw.random(),
    }


def write_run(folder: Path, rows: int) -> int:
    """Write the group files of a run of at least so many rows; return how many there are."""
    draw = random.Random(0)
    written = 0
    while written < rows:
        number = written // (IMAGES_OF_A_GROUP * len(EXPLAINERS))
        content = [
            random_row(draw, class_index=number, image=image, explainer=explainer)
            for image in range(IMAGES_OF_A_GROUP)
            for explainer in EXPLAINERS
        ]
        record = GroupRecord(f"{number:05d}-000", pa.Table.from_pylist(content, schema=ROW_SCHEMA))
        write_group(folder, record)
        log_group(folder, record, images=IMAGES_OF_A_GROUP)
        written += len(content)
    return written


def measure(folder: Path) -> dict[str, object]:
    """Rebuild the results of the run in a folder; return what that took of this process."""
    before = peak_memory(CPU)
    start = time.process_time()
    summary = summarise(GroupFiles(folder, finished_groups(folder)))
    return {
        "groups": len(finished_groups(folder)),
        "images": summary["images"],
        "cpu_s": round(time.process_time() - start, 2),
        "memory_before_mb": round((before or 0) / 1e6),
        "peak_memory_mb": round((peak_memory(CPU) or 0) / 1e6),
    }


def measure_alone(folder: Path) -> dict[str, object]:
    """Measure in a process of its own, whose peak is not that of writing the run."""
    command = [sys.executable, "-m", "benchmarks.rebuild", "--run", str(folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def main() -> None:
    """Write a run, rebuild its results and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the run, one for each image and explainer")
    parser.add_argument("--run", type=Path, help="folder of a run to rebuild in this process, instead of writing one")
    options = parser.parse_args()
    if options.run is not None:
        print(json.dumps(measure(options.run)))
        return
    with tempfile.TemporaryDirectory() as name:
        rows = write_run(Path(name), options.rows)
        print(json.dumps({"rows": rows, **measure_alone(Path(name))}))


if __name__ == "__main__":
    main()
