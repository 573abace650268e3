"""Estimate of the GPU hours that the published models take on ImageNet; nothing of it is measured on a GPU.

    python -m benchmarks.gpu_hours

Operations of a forward pass are counted by PyTorch without computing any (weights and images without memory); an image
takes 1 + prompts x parts passes for every explainer, at most 31 with the published settings. Peaks are those that the
makers publish, in fp32 without tensor cores, as runs compute unless told otherwise, and in bf16 (fp16 where there is no
bf16) without sparsity. What share of a peak the forward passes reach is assumed. What is outside of the forward passes,
and the texts, are left out.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import open_clip
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.interleaved import print_rows
from mkbench.backbones.known_models import model_set

IMAGES, PASSES = 50_000, 31
#: Assumed shares of the peaks that forward passes reach.
FP32_SHARE, BF16_SHARE = 0.6, 0.4


@dataclass(frozen=True)
class Gpu:
    """Published peaks of a GPU, in 10^12 operations a second: fp32, and bf16 or fp16 with tensor cores."""

    name: str
    fp32: float
    bf16: float


GPUS = (
    Gpu("T4", 8.1, 65),
    Gpu("V100 SXM2", 15.7, 125),
    Gpu("RTX 4090", 82.6, 165.2),
    Gpu("A100", 19.5, 312),
    Gpu("H100 SXM", 67, 989),
)


def forward_operations(architecture: str) -> float:
    """Return the floating-point operations of embedding one image; a multiplication and an addition are two.

    >>> round(forward_operations("ViT-B-32") / 1e9)
    9
    """
    with torch.device("meta"):
        model = open_clip.create_model(architecture, device="meta", load_weights=False, pretrained_image=False)
        size = model.visual.image_size
        side = size if isinstance(size, int) else size[0]
        image = torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            model.encode_image(image)  # with gradients: without, attention would be one operation that is not counted
    return float(counter.get_total_flops())


def hours(operations: float, peak: float, share: float) -> float:
    """Return the hours of all passes over ImageNet's validation images.

    Args:
        operations: of a forward pass.
        peak: of the GPU, in 10^12 operations a second.
        share: of the peak that is reached, 0 to 1.

    >>> round(hours(35e9, 19.5, 0.6), 2)  # 50,000 x 31 x 35e9 / 11.7e12 = 4,637 s
    1.29
    """
    return IMAGES * PASSES * operations / (peak * 1e12 * share) / 3600


def estimate(architectures: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    """Return a row for each (label, architecture), with GFLOPs of a pass and hours on each GPU, and a row of all."""
    counted = {architecture: forward_operations(architecture) for _, architecture in architectures}
    rows = [_row(label, counted[architecture]) for label, architecture in architectures]
    total = sum(counted[architecture] for _, architecture in architectures)
    return [*rows, _row(f"all {len(rows)}", total)]


def _row(label: str, operations: float) -> dict[str, object]:
    row: dict[str, object] = {"model": label, "gflops": round(operations / 1e9, 1)}
    for gpu in GPUS:
        both = (hours(operations, gpu.fp32, FP32_SHARE), hours(operations, gpu.bf16, BF16_SHARE))
        row[gpu.name] = " / ".join(f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in both)
    return row


def main(args: list[str] | None = None) -> int:
    """Estimate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="mutual-knowledge-table3", help="list of models, as in `mkbench models`")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    given = parser.parse_args(args)
    logging.disable(logging.WARNING)  # open_clip says of every model that it has no weights
    print_rows(
        estimate([(entry.label, entry.architecture) for entry in model_set(given.set)]),
        as_json=given.json,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
