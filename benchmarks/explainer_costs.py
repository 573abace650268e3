"""Costs of explainers: passes of the image encoder and time for an image, beyond the pass that all of them share.

    python -m benchmarks.explainer_costs --model critters-vit-l --images 16 --json

Every explainer explains the same rendered images of one class on its own. `forwards` are images that pass the encoder,
prompted parts included, for each image explained; `backwards` are those that a gradient is taken through. SpLiCE needs
one forward pass more, before a run, where the mean embedding comes from the run's own images. Random unit vectors stand
for text embeddings.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import Module

from mkbench.concepts import (
    AttentionRollout,
    AttnLRP,
    ClipSurgery,
    ClusterImportance,
    Explainer,
    GradCam,
    GradEclip,
    LeGrad,
    Occlusion,
    PartsExplainer,
    RandomParts,
    SaliencyMethod,
    SaliencyParts,
    SpLiCE,
    WholeImage,
)
from mkbench.concepts.saliency_parts import ContrastiveMethod
from mkbench.errors import BackboneError
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import StageClock, random_texts, rendered_group

CLASSES, BANK, LANGUAGE_CONCEPTS = 32, 247, 12


@dataclass
class Passes:
    """Images that passed the encoder, and images that a gradient was taken through."""

    forwards: int = 0
    backwards: int = 0


@contextmanager
def count_passes(encoder: Module) -> Iterator[Passes]:
    """Count passes while the context is open.

    >>> layer = torch.nn.Linear(2, 1)
    >>> with count_passes(layer) as passes:
    ...     _ = torch.autograd.grad(layer(torch.ones(3, 2)).sum(), layer.weight)
    >>> passes
    Passes(forwards=3, backwards=3)
    """
    passes, original, last = Passes(), torch.autograd.grad, 0

    def forward(_: Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal last
        last = len(inputs[0])
        passes.forwards += last

    def backward(*given: Any, **named: Any) -> Any:
        passes.backwards += last
        return original(*given, **named)

    handle = encoder.register_forward_pre_hook(forward)
    try:
        with mock.patch("torch.autograd.grad", backward):
            yield passes
    finally:
        handle.remove()


def make_explainers() -> list[Explainer]:
    """Return all explainers that need no training, those that others are compared with first."""
    methods: list[SaliencyMethod | ContrastiveMethod] = [
        GradCam(),
        AttentionRollout(),
        GradEclip(),
        LeGrad(),
        ClipSurgery(),
        AttnLRP(),
        Occlusion(),
    ]
    saliency = [SaliencyParts(method, pool=62) for method in methods]
    parts = [PartsExplainer("pca", pool=62), PartsExplainer("kmeans", pool=62), ClusterImportance(pool=62)]
    return [*parts, *saliency, SpLiCE(), RandomParts(pool=62), WholeImage()]


@torch.no_grad()
def measure(system: MutualKnowledge, images: int, rounds: int) -> list[dict[str, object]]:
    """Measure every explainer of a system that its model supports.

    Args:
        system: on its device.
        images: images in the class group.
        rounds: how often each is measured; medians are reported.

    Returns:
        For each explainer ``explainer``, ``forwards`` and ``backwards`` an image, ``ms_per_image`` and, on a GPU,
        ``peak_mib``; or ``explainer`` and ``refused``, the reason.
    """
    backbone: Any = system.backbone
    group = rendered_group(images, backbone.image_size, system.device)
    system.text = random_texts(
        backbone.embed_dim, system.device, classes=CLASSES, bank=BANK, num_language_concepts=LANGUAGE_CONCEPTS
    )
    system.mean_embedding = torch.zeros(backbone.embed_dim, device=system.device)
    clock, found = StageClock(system.device), []
    for name in [explainer.name for explainer in system.explainers]:
        times, passes = [], Passes()
        try:
            for _ in range(rounds + 1):  # the first warms up
                explanations = system._see(group, seed=0).explanations
                if name != "pca":
                    _ = explanations["pca"]  # what controls are compared with is not their cost
                _reset_peak(system.device)
                with count_passes(backbone.model.visual) as passes:
                    start = clock.now()
                    _ = explanations[name]
                    times.append((clock.now() - start) * 1e3 / images)
        except BackboneError as refusal:
            found.append({"explainer": name, "refused": str(refusal)})
            continue
        row: dict[str, object] = {
            "explainer": name,
            "forwards": round(passes.forwards / images, 2),
            "backwards": round(passes.backwards / images, 2),
            "ms_per_image": round(statistics.median(times[1:] or times), 2),
        }
        if system.device.type == "cuda":
            row["peak_mib"] = round(torch.cuda.max_memory_allocated(system.device) / 2**20)
        found.append(row)
    return found


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="critters-vit-l", help="any name that mkbench.load_backbone takes")
    parser.add_argument("--random-weights", action="store_true", help="build the architecture with random weights")
    parser.add_argument("--images", type=int, default=16, help="images in the class group")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; medians are printed")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    system = MutualKnowledge(
        options.model, random_weights=options.random_weights, saliency="pca", explainers=make_explainers()
    ).to(options.device)
    rows = measure(system, options.images, options.rounds)
    if options.json:
        print(json.dumps(rows))
        return
    table = Table("explainer", "forwards", "backwards", "ms an image", "peak MiB")
    for row in rows:
        cells = ("forwards", "backwards", "ms_per_image", "peak_mib")
        table.add_row(str(row["explainer"]), *(str(row.get(cell, row.get("refused", ""))) for cell in cells))
    Console().print(table)


if __name__ == "__main__":
    main()
