"""Simulation of runs over many devices from measured costs of class groups: balance and idle share.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --check

One process explains groups of different sizes and writes them; a line through their CPU time says what a group costs,
and what it leaves says how much groups of one size differ. Group sets of the size of well-known data sets draw their
costs from both and are shared out as the trainer shares them. `idle` is the share of all devices' time that passes
after a device's last group. The encoding of texts, which every device waits for, and the building of results are left
out. `--check` compares the prediction for two processes with what two processes take.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler
from numpy.typing import NDArray

from benchmarks.interleaved import print_rows
from mkbench.datamodules import Critters
from mkbench.datamodules.class_groups import GroupSpec
from mkbench.runs.group_files import write_group
from mkbench.systems import MutualKnowledge

Array = NDArray[np.float64]
RANKS = (1, 2, 8, 64, 512)


class GroupCost(NamedTuple):
    """What a group took of the process that explained it, in seconds: on the clock, and of the CPU."""

    group: int
    images: int
    seconds: float
    cpu_seconds: float


class CostModel(NamedTuple):
    """Cost of a group: ``fixed + per_image * images`` seconds, times one of the factors that were measured."""

    fixed: float
    per_image: float
    factors: Array


class Barrier(Protocol):
    """What makes processes start together."""

    def wait(self) -> object:
        """Wait for the others."""
        ...


def share_out(groups: int, ranks: int, rank: int) -> list[int]:
    """Return the numbers of the groups that a device gets, by the sampler that Lightning predicts with.

    Where there are fewer groups than devices, idle ones stand in for the rest, as in a run; their numbers are left out.

    >>> share_out(5, 2, 0), share_out(5, 2, 1), share_out(1, 2, 1)
    ([0, 2, 4], [1, 3], [])
    """
    numbers: Any = UnrepeatedDistributedSampler(range(max(groups, ranks)), num_replicas=ranks, rank=rank, shuffle=False)
    return [number for number in numbers if number < groups]


def simulate(costs: Array, ranks: int) -> dict[str, float]:
    """Return what happens if groups of such costs are shared out.

    Returns:
        ``seconds`` until the last device is done; ``faster``, all costs over that; ``balance``, the mean load of a
        device over the largest, 0 to 1; ``idle``, 1 - balance.

    >>> simulate(np.array([4.0, 1.0, 1.0, 1.0]), 2)["seconds"]
    5.0
    """
    loads = [float(costs[share_out(len(costs), ranks, rank)].sum()) for rank in range(ranks)]
    last = max(loads)
    balance = sum(loads) / (ranks * last)
    return {"seconds": last, "faster": sum(loads) / last, "balance": balance, "idle": 1 - balance}


def fit_costs(images: Sequence[int], seconds: Sequence[float]) -> CostModel:
    """Fit a line through measured costs, by least squares; a group of no image costs nothing or more.

    >>> model = fit_costs([1, 2, 3], [3.0, 5.0, 7.0])
    >>> round(model.fixed, 6), round(model.per_image, 6), model.factors.round(6).tolist()
    (1.0, 2.0, [1.0, 1.0, 1.0])
    """
    sizes, measured = np.asarray(images, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    slope, intercept = np.polyfit(sizes, measured, 1)
    if intercept < 0:
        slope, intercept = (sizes @ measured) / (sizes @ sizes), 0.0
    return CostModel(float(intercept), float(slope), measured / (intercept + slope * sizes))


def draw_costs(model: CostModel, images: Array, *, seed: int = 0) -> Array:
    """Return seconds of groups of so many images, with factors drawn from the measured ones."""
    factors = np.random.default_rng(seed).choice(model.factors, len(images))
    costs: Array = (model.fixed + model.per_image * images) * factors
    return costs


def group_sets() -> dict[str, Array]:
    """Return images of every group of sets of the size of well-known data sets.

    ImageNet's training classes have 1,300 images but for 105 that have from 732 on; those of ImageNet-21k, 14.2 million
    images in 21,841 classes, are drawn from a log-normal distribution. Images without labels, 400 million, fall into a
    million groups, the most that a run may have.
    """
    drawn = np.random.default_rng(0).lognormal(sigma=1.0, size=21_841)
    return {
        "ImageNet, validation": np.full(1000, 50.0),
        "ImageNet, training": np.random.default_rng(0).permutation([*[1300.0] * 895, *np.linspace(732, 1299, 105)]),
        "ImageNet-21k": np.ceil(drawn * 14_197_122 / drawn.sum()),
        "LAION-400M": np.full(1_000_000, 400.0),
    }


def make_specs(data: Critters) -> list[GroupSpec]:
    """Return groups of one to all images of their classes, so that they are not all of one size."""
    return [
        replace(spec, sample_ids=spec.sample_ids[: 1 + 5 * n % len(spec.sample_ids)])
        for n, spec in enumerate(data.specs)
    ]


def run_share(rank: int, ranks: int, model: str, images: int, classes: int, start: Barrier) -> list[GroupCost]:
    """Explain and write the groups of one of several processes, in one thread; start together.

    Args:
        rank: which of them.
        ranks: how many there are.
        model: a name that ``mkbench.load_backbone`` takes.
        images: most images of a group.
        classes: groups of all processes together, one for each class of Critters.
        start: waited at before the first group, when model and texts are ready.
    """
    torch.set_num_threads(1)
    data = Critters(images_per_class=images, limit_classes=classes, num_workers=0)
    system = MutualKnowledge(model, num_language_concepts=12, pool=62)
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    dataset = data.dataset(system.geometry, make_specs(data))
    system.explain_group(dataset[0])  # warm-up
    found = []
    with tempfile.TemporaryDirectory() as folder:
        start.wait()
        for number in share_out(len(dataset), ranks, rank):
            before, cpu_before = time.perf_counter(), time.process_time()
            group = dataset[number]
            write_group(Path(folder), system.record(group, system.explain_group(group), data.class_names))
            found.append(GroupCost(number, len(group), time.perf_counter() - before, time.process_time() - cpu_before))
    return found


def run_processes(ranks: int, model: str, images: int, classes: int) -> list[list[GroupCost]]:
    """Run so many processes beside each other; return the costs of each one's groups."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(ranks, mp_context=spawn) as pool:
        work = partial(
            run_share, ranks=ranks, model=model, images=images, classes=classes, start=manager.Barrier(ranks)
        )
        return list(pool.map(work, range(ranks)))


def check(model: str, images: int, classes: int, rounds: int) -> list[dict[str, object]]:
    """Compare the prediction for two processes, from the costs of one, with what two take; in turn.

    Returns:
        A row each for time on the clock and CPU time: medians of the seconds ``predicted`` and ``measured``, and
        ``off``, the second over the first, less 1.
    """
    predicted: Mapping[str, list[float]] = {"seconds": [], "cpu_seconds": []}
    measured: Mapping[str, list[float]] = {"seconds": [], "cpu_seconds": []}
    for _ in range(rounds):
        alone = run_processes(1, model, images, classes)[0]
        both = run_processes(2, model, images, classes)
        for clock, times in predicted.items():
            times.append(simulate(np.array([getattr(cost, clock) for cost in alone]), 2)["seconds"])
            measured[clock].append(max(sum(getattr(cost, clock) for cost in one) for one in both))
    rows: list[dict[str, object]] = []
    for clock, times in predicted.items():
        said, found = statistics.median(times), statistics.median(measured[clock])
        rows.append(
            {
                "clock": clock,
                "predicted": round(said, 2),
                "measured": round(found, 2),
                "off": round(found / said - 1, 3),
            }
        )
    return rows


def tabulate(model: CostModel, sets: Mapping[str, Array], ranks: Sequence[int]) -> list[dict[str, object]]:
    """Simulate every set on every number of devices; return a row for each."""
    rows: list[dict[str, object]] = []
    for name, images in sets.items():
        costs = draw_costs(model, images)
        for count in ranks:
            found = simulate(costs, count)
            rows.append(
                {
                    "set": name,
                    "groups": len(costs),
                    "devices": count,
                    "hours": round(found["seconds"] / 3600, 2),
                    "faster": round(found["faster"], 1),
                    "balance": round(found["balance"], 3),
                    "idle": round(found["idle"], 3),
                }
            )
    return rows


def main(args: list[str] | None = None) -> int:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="critters-vit-l", help="any model that mkbench.load_backbone takes")
    parser.add_argument("--images", type=int, default=16, help="most images of a measured group")
    parser.add_argument("--classes", type=int, default=32, help="measured groups, one a class, at most 32")
    parser.add_argument("--ranks", type=int, nargs="+", default=list(RANKS), help="numbers of devices")
    parser.add_argument("--check", action="store_true", help="compare the prediction for two processes with two")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the check; medians are printed")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    given = parser.parse_args(args)
    if given.check:
        print_rows(check(given.model, given.images, given.classes, given.rounds), as_json=given.json)
        return 0
    costs = run_processes(1, given.model, given.images, given.classes)[0]
    model = fit_costs([cost.images for cost in costs], [cost.cpu_seconds for cost in costs])
    print_rows(tabulate(model, group_sets(), given.ranks), as_json=given.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
