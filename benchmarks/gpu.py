"""All of it on a GPU: the pipeline at several batch sizes beside its forward passes, texts, the CRF, and growth.

    python -m benchmarks.gpu --json

Without a GPU it says so and ends with exit code 1.
"""

import argparse
import json
import sys
from functools import partial
from typing import Any

import torch

from benchmarks import growth, pipeline
from benchmarks.interleaved import median_seconds, print_rows
from benchmarks.reference import make_bank
from mkbench.backbones import Backbone, load_backbone
from mkbench.concepts import bank_embeddings
from mkbench.concepts.refine import refine_crf
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import StageClock, rendered_group


def pipeline_rows(backbone: Backbone, chunks: list[int], images: int, rounds: int) -> list[dict[str, object]]:
    """Return the pipeline, its floor and what is outside of it at each batch size, in milliseconds an image."""
    rows: list[dict[str, object]] = []
    for chunk in chunks:
        system = MutualKnowledge(backbone, encoder_chunk=chunk).to(backbone.device)
        found: dict[str, Any] = pipeline.measure(system, images, rounds, texts=False)
        total, floor = found["total_ms_per_image"], found["forward_ms_per_image"]
        rows.append(
            {
                "batch": chunk,
                "total_ms": total,
                "forward_ms": floor,
                "outside_ms": round(total - floor, 3),
                "ratio": found["ratio"],
                "synchronisations": found["synchronisations_per_group"],
                "peak_mb": found["peak_memory_mb"],
            }
        )
    return rows


def single_rows(backbone: Backbone, bank: int, images: int, rounds: int) -> list[dict[str, object]]:
    """Return what a bank of texts takes once, in seconds, and the CRF for an image, in milliseconds."""
    clock, texts = StageClock(backbone.device).now, make_bank(bank)
    pixels = rendered_group(images, backbone.image_size, backbone.device).images
    masks = torch.zeros_like(pixels[:, 0], dtype=torch.bool)
    masks[:, 64:160, 64:160] = True
    work = {
        "texts": partial(bank_embeddings, backbone, texts, "a photo showing {}"),
        "crf": partial(refine_crf, pixels, masks),
    }
    seconds = median_seconds(work, rounds, clock=clock)
    return [
        {"what": f"{bank} texts, s", "time": round(seconds["texts"], 3)},
        {"what": "CRF, ms an image", "time": round(seconds["crf"] * 1e3 / images, 3)},
    ]


def growth_rows(backbone: Backbone, images: int, rounds: int) -> list[dict[str, object]]:
    """Return how the time of a group grows with its images and with the bank."""
    clock = StageClock(backbone.device).now
    kinds = {"images": growth.grow_images, "bank": growth.grow_bank}
    return [
        growth.compare(name, backbone.name, grow(backbone, images, 1), grow(backbone, images, 10), rounds, clock=clock)
        for name, grow in kinds.items()
    ]


def main(args: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-B-16", help="any name that mkbench.load_backbone takes")
    parser.add_argument("--no-random-weights", action="store_true", help="load weights, which the name must have")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 64, 256], help="images in a call of the encoder")
    parser.add_argument("--images", type=int, default=50, help="images in the class group")
    parser.add_argument("--bank", type=int, default=4229, help="texts to encode")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; medians are printed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(args)
    if not torch.cuda.is_available():
        print("Expected a GPU that PyTorch can use, found none; run this on a machine with one.", file=sys.stderr)
        return 1
    backbone = load_backbone(given.model, random_weights=not given.no_random_weights).to("cuda")
    tables = {
        "pipeline": pipeline_rows(backbone, given.batches, given.images, given.rounds),
        "single": single_rows(backbone, given.bank, given.images, given.rounds),
        "growth": growth_rows(backbone, max(1, given.images // 10), given.rounds),
    }
    name = torch.cuda.get_device_name()
    if given.json:
        print(json.dumps({"gpu": name, "torch": torch.__version__, **tables}))
        return 0
    print(f"{name}, torch {torch.__version__}")
    for rows in tables.values():
        print_rows(rows, as_json=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
