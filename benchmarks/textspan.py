"""TEXTSPAN of all heads at once beside a loop over the heads in NumPy, which works as the algorithm is written down.

    python -m benchmarks.textspan --json

Both get the same random contributions of the rank of a head and random texts, and must pick the same texts. The loop
handles one head after another in fp32: in each round it projects every image on every text, and takes the picked
direction out of both.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mkbench.heads import textspan

#: How often the batched way is timed, for the median; the loop takes long enough to be timed once.
ROUNDS = 3

Array = NDArray[np.float32]


def make_data(heads: int, images: int, texts: int, width: int, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return contributions (heads, images, width), texts (texts, width) and bases (heads, rank, width), all random."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(heads, rank, width, generator=generator)
    # Variances fall off, as those of real heads do, so that the picks are well apart.
    scores = torch.randn(heads, images, rank, generator=generator) * torch.logspace(0, -1.5, rank)
    return scores @ basis, F.normalize(torch.randn(texts, width, generator=generator), dim=1), basis


def one_head(contributions: Array, texts: Array, basis: Array, num_texts: int) -> list[int]:
    """Pick the texts of one head."""
    span = np.linalg.qr(basis.T)[0]  # (d, k)
    left = texts @ span @ span.T
    rest = contributions - contributions.mean(0)
    picked = []
    for _ in range(num_texts):
        best = int((rest @ left.T).std(0).argmax())
        text = left[best].copy()
        squared = text @ text
        rest = rest - np.outer(rest @ text, text) / squared
        left = left - np.outer(left @ text, text) / squared
        picked.append(best)
    return picked


def measure(heads: int, images: int, texts: int, width: int, rank: int, num_texts: int) -> dict[str, object]:
    """Time both ways on the same data.

    Raises:
        RuntimeError: if they pick different texts.
    """
    contributions, embeddings, basis = make_data(heads, images, texts, width, rank)
    textspan(contributions[:1], embeddings, num_texts=1, basis=basis[:1])  # warm-up
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        span = textspan(contributions, embeddings, num_texts=num_texts, basis=basis)
        times.append(time.perf_counter() - start)
    batched = statistics.median(times)
    arrays = contributions.numpy(), embeddings.numpy(), basis.numpy()
    start = time.perf_counter()
    picks = [one_head(arrays[0][head], arrays[1], arrays[2][head], num_texts) for head in range(heads)]
    loop = time.perf_counter() - start
    if span.indices.tolist() != picks:
        raise RuntimeError("The two ways picked different texts.")
    return {
        "heads": heads,
        "images": images,
        "texts": texts,
        "num_texts": num_texts,
        "threads": torch.get_num_threads(),
        "batched_s": round(batched, 3),
        "loop_s": round(loop, 3),
        "ratio": round(loop / batched, 1),
        "same_picks": True,
    }


def main(args: list[str] | None = None) -> int:
    """Scorer and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--heads", type=int, default=48)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=3498)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--num-texts", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(args)
    result = measure(given.heads, given.images, given.texts, given.width, given.rank, given.num_texts)
    if given.json:
        print(json.dumps(result))
    else:
        print(f"{result['batched_s']} s batched, {result['loop_s']} s head by head: {result['ratio']} times as fast")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
