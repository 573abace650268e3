"""The cost of the published example's steps beside that of the pipeline: same images, same model, same results.

    python -m benchmarks.reference --json

`benchmarks/plain_pipeline.py` has the steps written plainly: texts encoded again for every image and at full length,
parts drawn and encoded one after another, 1000 rounds of the plan, loops over pairs. Both explain the same images by
PCA parts without dense CRF, in turn and in one thread; the pipeline also computes the chance level. The texts that it
encodes once, before the first image, are timed apart. Pairs of the bundled world's descriptors make up the bank.
"""

import argparse
import json
import time
from collections.abc import Sequence
from itertools import combinations, islice

import numpy as np
import torch

from benchmarks.interleaved import median_seconds
from benchmarks.plain_pipeline import PlainExplanation, PlainTexts, explain_plainly
from benchmarks.stage_times import StageTimes
from mkbench.concepts import PartsExplainer
from mkbench.datamodules.base import load_templates
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.critters_world import load_world
from mkbench.scorers.explained_group import GroupResult
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import rendered_group


def make_bank(size: int) -> list[str]:
    """Return so many different texts, each of two descriptors of the bundled world.

    >>> make_bank(2)[0].count(" and ")
    1
    """
    texts = [entry.text for entry in load_world().descriptors]
    return [f"{one} and {other}" for one, other in islice(combinations(texts, 2), size)]


def plain_texts(system: MutualKnowledge, bank: Sequence[str]) -> PlainTexts:
    """Return what the plain steps know of the texts before the first image."""
    known = system.knowledge
    classes, prompted = known.classes.double().numpy(), known.prompted.double().numpy()
    return PlainTexts(bank, classes, prompted, system.num_language_concepts, _pool_of(system))


def _pool_of(system: MutualKnowledge) -> int:
    explainer = system.explainers[0]
    if not isinstance(explainer, PartsExplainer):
        raise TypeError(f"Expected a PartsExplainer, got {type(explainer).__name__}.")
    return explainer.pool


def agreement(plain: Sequence[PlainExplanation], result: GroupResult) -> tuple[float, float]:
    """Return the share of images with the same concepts in the same order, and the largest difference of a curve."""
    explained = result.explained["pca"]
    vision = explained.explanation.vision
    same, apart = [], [0.0]
    for image, one in enumerate(plain):
        count = int(vision.counts[image])
        same.append(vision.ids[image, :count].tolist() == one.concepts)
        if count == len(one.concepts):
            apart.append(float(np.abs(explained.curves[image, : count + 1].numpy() - one.curve).max()))
    return float(np.mean(same)), max(apart)


def measure(system: MutualKnowledge, group: ClassGroup, bank: Sequence[str], rounds: int) -> dict[str, object]:
    """Measure both, and compare what they say.

    Args:
        system: with PCA parts alone and without CRF or text cache.
        group: on the CPU.
        bank: descriptors.
        rounds: how often each is measured; medians are reported.

    Returns:
        CPU time of both in milliseconds for an image, ``plain_stages_ms`` with that of the plain steps' stages; seconds
        for the texts; and how far both agree.
    """
    start = time.process_time()
    system.prepare_texts(load_world().class_names, bank, load_templates("critters"))
    once = time.process_time() - start
    texts, images = plain_texts(system, bank), group.images.permute(0, 2, 3, 1).numpy()
    stages = StageTimes(torch.device("cpu"))
    found: dict[str, object] = {}

    def run_plain() -> None:
        found["plain"] = explain_plainly(system.backbone, images, texts, stage=stages)

    def run_pipeline() -> None:
        found["pipeline"] = system.explain_group(group)

    seconds = median_seconds({"plain": run_plain, "pipeline": run_pipeline}, rounds)
    same, apart = agreement(found["plain"], found["pipeline"])  # type: ignore[arg-type]
    in_ms = {name: value * 1e3 / len(group) for name, value in seconds.items()}
    return {
        "model": system.backbone.name,
        "images": len(group),
        "bank": len(bank),
        "plain_ms": round(in_ms["plain"], 1),
        "pipeline_ms": round(in_ms["pipeline"], 1),
        "times_faster": round(in_ms["plain"] / in_ms["pipeline"], 1),
        "texts_once_s": round(once, 1),
        "same_concepts": same,
        "largest_difference": apart,
        "plain_stages_ms": stages.cpu_ms((rounds + 1) * len(group)),
    }


def main(args: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-B-16", help="any model of open_clip that mkbench.load_backbone takes")
    parser.add_argument("--random-weights", action="store_true", help="build the architecture with random weights")
    parser.add_argument("--images", type=int, default=4, help="images of the class")
    parser.add_argument("--bank", type=int, default=4229, help="descriptors in the bank")
    parser.add_argument("--pool", type=int, default=500, help="descriptors that each part proposes")
    parser.add_argument("--rounds", type=int, default=1, help="how often each side is measured; medians are printed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    system = MutualKnowledge(
        given.model,
        random_weights=given.random_weights,
        explainers=[PartsExplainer("pca", pool=given.pool)],
        refine="components",
        text_cache="off",
    )
    group = rendered_group(given.images, system.backbone.image_size, torch.device("cpu"))
    result = measure(system, group, make_bank(given.bank), given.rounds)
    if given.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        print(f"{name:<24}{value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
