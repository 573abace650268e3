"""Stage times of the whole pipeline beside the bare forward passes of the same number of images.

    python -m benchmarks.pipeline --model ViT-B-16 --random-weights --images 8 --json

The forward passes, 1 + prompts x parts for each image and method (fewer with other region encoders), are the floor;
`ratio` is the whole over the floor. Both are measured in turn in one process, so that a busy machine slows both. Texts
are encoded once for a model, not for each image; they are left out of the whole, and random unit vectors stand for
their embeddings. `text_cpu_ms` is what one of them takes, of a batch of 64.

Images are rendered before the clock starts; with `--from-files` they are JPEG files of 500 x 375 pixels, read and
decoded as those of a user. `stages` and `stages_cpu` are milliseconds for an image: the plain forward pass (`features`)
and those of the prompts (`encode`); `saliency` and `partition`; `refine` (the CRF); `render` (drawing); `assign`;
`measure` (metrics); and `decode` and `write` of files. `outside_encoder_cpu_ms` is the whole without `features` and
`encode`, what is drawn in another thread meanwhile included; it needs `--threads 1`.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torchvision.transforms.v2.functional import resize, to_pil_image

from benchmarks.stage_times import StageTimes
from benchmarks.synchronisations import SynchronisationCounter
from mkbench.backbones import Backbone, PatchFeatures
from mkbench.cli.doctor.measurement import peak_memory
from mkbench.concepts import PARTITIONS, REGION_ENCODERS, PartsExplainer, bank_embeddings
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.datamodules import ImageFolder
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.critters_world import load_world
from mkbench.runs.group_files import write_group
from mkbench.systems import MutualKnowledge
from mkbench.systems.text_knowledge import TextKnowledge
from mkbench.systems.timing import random_texts, rendered_group

BANK, CLASSES, LANGUAGE_CONCEPTS = 4229, 1000, 50
TEXTS, FILE_SIZE = 64, (375, 500)


def make_texts(dim: int, device: torch.device) -> TextKnowledge:
    """Return random unit vectors in the place of text embeddings, at the size of ImageNet and its bank."""
    return random_texts(dim, device, classes=CLASSES, bank=BANK, num_language_concepts=LANGUAGE_CONCEPTS)


def write_images(folder: Path, images: int) -> None:
    """Write rendered images of one class as JPEG files in a class folder, of the size that photographs often have."""
    (folder / "class").mkdir(parents=True)
    for number, image in enumerate(rendered_group(images, 256, torch.device("cpu")).images):
        to_pil_image(resize(image, list(FILE_SIZE))).save(folder / "class" / f"{number:05d}.jpg", quality=90)


def read_files(folder: Path, system: MutualKnowledge) -> ClassGroup:
    """Read the images of the only class in a folder as a run reads them, in this process."""
    data = ImageFolder(folder, num_workers=0)
    return data.dataset(system.geometry, data.specs)[0].to(system.device)


def run_pipeline(system: MutualKnowledge, read: Callable[[], ClassGroup], folder: Path, stage: Stage) -> None:
    """Read a class group, explain it and write its rows."""
    with stage("decode"):
        group = read()
    answer = system.explain_group(group)
    with stage("write"):
        write_group(folder, system.record(group, answer, [str(number) for number in range(CLASSES)]))


def text_seconds(backbone: Backbone) -> float:
    """Return the CPU time of encoding a text in seconds, on the mean of a batch after another one as warm-up."""
    texts = [entry.text for entry in load_world().descriptors][:TEXTS]
    times = []
    for _ in range(2):
        start = time.process_time()
        bank_embeddings(backbone, texts, "a photo showing {}")
        times.append(time.process_time() - start)
    return times[1] / len(texts)


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


def measure(
    system: MutualKnowledge, images: int, rounds: int, *, from_files: bool = False, texts: bool = True
) -> dict[str, object]:
    """Measure the pipeline and its floor in turn.

    Args:
        system: the system, on its device.
        images: images in the class group.
        rounds: how often each side is measured; medians are reported.
        from_files: read and decode image files in every round of the pipeline.
        texts: measure what a text takes, too.
    """
    system.text = make_texts(system.backbone.embed_dim, system.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if from_files:
            write_images(folder / "images", images)
            read: Callable[[], ClassGroup] = partial(read_files, folder / "images", system)
        else:
            rendered = rendered_group(images, system.backbone.image_size, system.device)
            read = partial(_same, rendered)
        result = _measure_rounds(system, read, folder, rounds)
    return result | ({"text_cpu_ms": round(text_seconds(system.backbone) * 1e3, 3)} if texts else {})


def _same(group: ClassGroup) -> ClassGroup:
    return group


def _measure_rounds(
    system: MutualKnowledge, read: Callable[[], ClassGroup], folder: Path, rounds: int
) -> dict[str, object]:
    group = read()
    prompted, images = count_images(system, group), len(group)
    with SynchronisationCounter() as synchronisations:
        system.explain_group(group)
    run_pipeline(system, read, folder, no_stage)
    clock = StageTimes(system.device)
    system.stage = clock
    totals, forwards, cpu_totals, cpu_forwards = [], [], [], []
    for _ in range(rounds):
        start, cpu_start = clock.now(), time.process_time()
        forward_only(system.backbone, group, prompted, system.encoder_chunk)
        middle, cpu_middle = clock.now(), time.process_time()
        run_pipeline(system, read, folder, clock)
        forwards.append((middle - start) * 1e3 / images)
        totals.append((clock.now() - middle) * 1e3 / images)
        cpu_forwards.append((cpu_middle - cpu_start) * 1e3 / images)
        cpu_totals.append((time.process_time() - cpu_middle) * 1e3 / images)
    system.stage = no_stage
    stages_cpu = clock.cpu_ms(rounds * images)
    encode = stages_cpu.get("encode", 0.0)  # some region encoders need no further pass
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
        "outside_encoder_cpu_ms": round(statistics.mean(cpu_totals) - stages_cpu["features"] - encode, 3)
        if torch.get_num_threads() == 1
        else None,
        "synchronisations_per_group": synchronisations.total,
        "peak_memory_mb": round((peak_memory(system.device) or 0) / 1e6),
        "threads": torch.get_num_threads(),
        "stages": {name: round(value * 1e3 / rounds / images, 3) for name, value in clock.seconds.items()},
        "stages_cpu": stages_cpu,
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
    parser.add_argument("--from-files", action="store_true", help="read and decode JPEG files in every round")
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
    result = measure(system, options.images, options.rounds, from_files=options.from_files)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<28}{value}")


if __name__ == "__main__":
    main()
