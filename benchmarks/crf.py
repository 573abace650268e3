"""The dense CRF beside its exact kernel: intersection over union on photographs, and the time of an image.

    python -m benchmarks.crf PHOTOGRAPHS --count 24 --threads 1

PHOTOGRAPHS is a folder of JPEG or PNG files. Each is cut to a square of 224 pixels, with a mask of 14 x 14 patches
drawn at random around the centre. The exact kernel adds up all pairs of pixels in every round: about a minute an image.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.interleaved import print_rows
from mkbench.concepts import refine_crf
from mkbench.concepts.upscale import upscale_nearest
from mkbench.progress import late_bar

SIZE, PATCHES = 224, 14
#: What the CRF should reach on every image.
BAR = 0.985
_ROWS = 64  # of the exact kernel at once, 13 MB for a photograph
_FILES = {".jpg", ".jpeg", ".png"}


def photograph_and_mask(path: Path, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Return a photograph cut to (3, size, size), and a mask of its central patches whose border is drawn at random."""
    pixels = torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1)
    side = min(pixels.shape[1:])
    square = pixels[:, :side, :side].float()[None]
    image = F.interpolate(square, size=size, mode="bilinear", antialias=True)[0].round().byte()
    places = torch.linspace(-1, 1, PATCHES)
    y, x = torch.meshgrid(places, places, indexing="ij")
    drawn = torch.rand(PATCHES, PATCHES, generator=torch.Generator().manual_seed(side))
    return image, upscale_nearest((x**2 + y**2 + 0.5 * drawn < 0.8)[None], size)[0]


class _ExactKernel:
    """exp(-|x - y|^2 / 2) of all pairs of points (N, d), a few rows at a time."""

    def __init__(self, points: Tensor) -> None:
        half = points.square().sum(dim=1, keepdim=True) / 2
        one = torch.ones_like(half)
        # One product gives the exponents: x y - |x|^2 / 2 - |y|^2 / 2.
        self._rows, self._columns = torch.cat([points, half, one], dim=1), torch.cat([points, -one, -half], dim=1).T

    def __call__(self, values: Tensor) -> Tensor:
        # Exponents below -32 count as that: subnormal numbers would take most of the time.
        held = values.new_empty(_ROWS, len(values))  # one place for all: new memory each time would take longer still
        parts = (torch.mm(rows, self._columns, out=held[: len(rows)]) for rows in self._rows.split(_ROWS))
        return torch.cat([part.clamp_(min=-32, max=0).exp_() @ values for part in parts])


def _gaussian(side: int, deviation: float) -> Tensor:
    """(side, side) Gaussian of the distance between two places of an axis."""
    places = torch.arange(side).float()
    return torch.exp(-(places[:, None] - places).square() / (2 * deviation**2))


def exact_mean_field(
    image: Tensor,
    mask: Tensor,
    *,
    w1: float = 10,
    alpha: float = 40,
    beta: float = 13,
    w2: float = 3,
    gamma: float = 3,
    iterations: int = 5,
) -> Tensor:
    """Return the log-odds (H, W) of the foreground by the definition, without an approximation; see `refine_crf`."""
    height, width = mask.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns], dim=-1).reshape(-1, 2).float()
    colours = image.reshape(3, -1).T.float()
    alike = _ExactKernel(torch.cat([places / alpha, colours / beta], dim=1))
    of_rows, of_columns = _gaussian(height, gamma), _gaussian(width, gamma)

    def near(values: Tensor) -> Tensor:
        """The kernel of places alone, exact too: it is a product of one over rows and one over columns."""
        return (of_rows @ values.reshape(height, width) @ of_columns).flatten()

    kernels = (alike, near)
    scales = [kernel(torch.ones(height * width)).rsqrt() for kernel in kernels]
    unary = torch.where(mask.flatten(), 1.0, -1.0) * float(np.log(99))
    odds = unary
    for _ in range(iterations):
        belief = torch.tanh(odds / 2)
        messages = [scale * kernel(scale * belief) for scale, kernel in zip(scales, kernels, strict=True)]
        odds = unary + w1 * messages[0] + w2 * messages[1]
    return odds.reshape(height, width)


def overlap(one: Tensor, other: Tensor) -> float:
    """Return the intersection over union of two masks; 1 of two empty ones.

    >>> overlap(torch.tensor([True, True]), torch.tensor([True, False]))
    0.5
    """
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def compare(paths: Sequence[Path], *, size: int = SIZE) -> list[dict[str, object]]:
    """Return how close the unrefined masks and those of the CRF come to the exact ones.

    Args:
        paths: of photographs, at least one.
        size: side of the squares that they are cut to.
    """
    overlaps: dict[str, list[float]] = {"the unrefined mask": [], "the CRF's": []}
    seconds = []
    with late_bar("exact kernel", "images,", total=len(paths)) as advance:
        for path in paths:
            image, mask = photograph_and_mask(path, size)
            exact = exact_mean_field(image, mask) > 0
            start = time.process_time()
            refined = refine_crf(image[None], mask[None])[0]
            seconds.append(time.process_time() - start)
            for found, masks in zip(overlaps.values(), (mask, refined), strict=True):
                found.append(overlap(masks, exact))
            advance(1)
    return [
        {
            "mask": name,
            "images": len(paths),
            "mean": round(statistics.mean(found), 4),
            "minimum": round(min(found), 4),
            f"below {BAR}": sum(value < BAR for value in found),
            "ms an image": ms,
        }
        for (name, found), ms in zip(overlaps.items(), ("", round(statistics.median(seconds) * 1e3, 1)), strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of JPEG or PNG files, looked through to the bottom")
    parser.add_argument("--count", type=int, help="how many of them, in the order of their names; without it, all")
    parser.add_argument("--threads", type=int, help="CPU threads of torch; without it, as many as torch takes")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args(arguments)
    paths = sorted(path for path in options.photographs.rglob("*") if path.suffix.lower() in _FILES)[: options.count]
    if not paths:
        parser.error(f"expected JPEG or PNG files in {options.photographs}, found none")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    print_rows(compare(paths), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
