"""Stage times of the whole pipeline beside the bare forward passes of the same number of images.

    python -m benchmarks.pipeline --model ViT-B-16 --random-weights --images 8 --json

The forward passes, 1 + prompts x parts for each image and method (fewer with other region encoders), are the floor;
`ratio` is the whole over the floor. Both are measured in turn in one process, so that a busy machine slows both. Texts
are encoded once for a model, not for each image; they are left out here, and random unit vectors stand for their
embeddings.
"""

import argparse
import json
import resource
import statistics
import time

import torch

from benchmarks.synchronisations import SynchronisationCounter
from mkbench.backbones import Backbone, PatchFeatures
from mkbench.concepts import PARTITIONS, REGION_ENCODERS, PartsExplainer
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.systems import MutualKnowledge
from mkbench.systems.text_knowledge import TextKnowledge
from mkbench.systems.timing import StageClock, random_texts, rendered_group

BANK, CLASSES, LANGUAGE_CONCEPTS = 4229, 1000, 50


def make_texts(dim: int, device: torch.device) -> TextKnowledge:
    """Return random unit vectors in the place of text embeddings, at the size of ImageNet and its bank."""
    return random_texts(dim, device, classes=CLASSES, bank=BANK, num_language_concepts=LANGUAGE_CONCEPTS)


def count_images(system: MutualKnowledge, group: ClassGroup) -> int:
    """Run the pipeline once, as warm-up, and return how many images it encodes beside the plain ones."""
    before = system.backbone.prepared_images
    system.explain_group(group)
    return system.backbone.prepared_images - before - len(group)


@torch.no_grad()
def forward_only(backbone: Backbone, group: ClassGroup, prompted: int, chunk: int) -> PatchFeatures:
    """Run the bare forward passes: the plain images for features, and as many others as the pipeline encodes."""
    pixels = backbone.prepare_pixels(group.images)
    features = [backbone.patch_features(part) for part in pixels.split(chunk)]
    for start in range(0, prompted, chunk):
        count = min(chunk, prompted - start)
        backbone.encode_image(pixels[torch.arange(count, device=pixels.device) % len(pixels)])
    return features[0]


def peak_memory(device: torch.device) -> int:
    """Return the most memory, in bytes, that this process has held: of the GPU on one, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # KiB on Linux


def measure(system: MutualKnowledge, images: int, rounds: int) -> dict[str, object]:
    """Measure the pipeline and its floor in turn.

    Args:
        system: the system, on its device.
        images: images in the class group.
        rounds: how often each side is measured; medians are reported.
    """
    group = rendered_group(images, system.backbone.image_size, system.device)
    system.text = make_texts(system.backbone.embed_dim, system.device)
    prompted = count_images(system, group)
    clock = StageClock(system.device)
    with SynchronisationCounter() as synchronisations:
        system.explain_group(group)
    totals, forwards, cpu_totals, cpu_forwards = [], [], [], []
    for _ in range(rounds):
        start, cpu_start = clock.now(), time.process_time()
        forward_only(system.backbone, group, prompted, system.encoder_chunk)
        middle, cpu_middle = clock.now(), time.process_time()
        system.stage = clock
        system.explain_group(group)
        forwards.append((middle - start) * 1e3 / images)
        totals.append((clock.now() - middle) * 1e3 / images)
        cpu_forwards.append((cpu_middle - cpu_start) * 1e3 / images)
        cpu_totals.append((time.process_time() - cpu_middle) * 1e3 / images)
    return {
        "model": system.backbone.name,
        "device": str(system.device),
        "images": images,
        "prompted_images": prompted,
        "rounds": rounds,
        "total_ms_per_image": round(statistics.median(totals), 3),
        "forward_ms_per_image": round(statistics.median(forwards), 3),
        "ratio": round(statistics.median(t / f for t, f in zip(totals, forwards, strict=True)), 4),
        "total_cpu_ms_per_image": round(statistics.median(cpu_totals), 3),
        "forward_cpu_ms_per_image": round(statistics.median(cpu_forwards), 3),
        "cpu_ratio": round(statistics.median(t / f for t, f in zip(cpu_totals, cpu_forwards, strict=True)), 4),
        "synchronisations_per_group": synchronisations.total,
        "peak_memory_mb": round(peak_memory(system.device) / 1e6),
        "threads": torch.get_num_threads(),
        "stages": {name: round(value * 1e3 / rounds / images, 3) for name, value in clock.seconds.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-B-16", help="any name that mkbench.load_backbone takes")
    parser.add_argument("--random-weights", action="store_true", help="build the architecture with random weights")
    parser.add_argument("--images", type=int, default=8, help="images in the class group")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured; medians are printed")
    parser.add_argument("--threads", type=int, help="CPU threads of torch; without it, as many as torch takes")
    parser.add_argument("--chunk", type=int, default=64, help="images in one call of the encoder")
    parser.add_argument("--refine", choices=("none", "components", "crf"), default="crf", help="foreground refinement")
    parser.add_argument("--region-encoder", choices=REGION_ENCODERS, default="prompts", help="what embeds a part")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    system = MutualKnowledge(
        options.model,
        explainers=[PartsExplainer(name, region_encoder=options.region_encoder) for name in PARTITIONS],
        random_weights=options.random_weights,
        refine=options.refine,
        encoder_chunk=options.chunk,
    ).to(options.device)
    result = measure(system, options.images, options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<28}{value}")


if __name__ == "__main__":
    main()
