"""Similarity of class token and patches, averaged over the images of a finished run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mkbench.backbones.towers.class_token_similarity import class_token_similarity
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.metrics.functional import bootstrap_intervals
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate, model_label, read_results
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_batches
from mkbench.systems.base import BenchmarkSystem

SCHEMA_VERSION = 1
#: Kind of patch features -> how it is printed.
KINDS = {"tokens": "tokens", "keys": "keys of the attention"}


@dataclass(frozen=True)
class ClassTokenCurves:
    """Mean cosine of the class token and the patches of its image after each layer.

    Attributes:
        model: label of the model.
        data: name of the data set.
        images: number of images.
        curves: kind of features, as in ``KINDS`` -> of each layer, the mean over images with its 95 % interval.
    """

    model: str
    data: str
    images: int
    curves: dict[str, list[Estimate]]

    @property
    def document(self) -> dict[str, Any]:
        """The curves as JSON."""
        curves = {
            kind: [{"layer": layer, "value": one.value, "interval": one.interval} for layer, one in enumerate(curve)]
            for kind, curve in self.curves.items()
        }
        about = {"model": self.model, "data": self.data, "images": self.images}
        return {"schema_version": SCHEMA_VERSION, **about, "curves": curves}


def class_token_curves(
    run: Path,
    system: BenchmarkSystem,
    data: ClassGroupDataModule,
    *,
    images_per_class: int | None = None,
    progress: bool = True,
) -> ClassTokenCurves:
    """Read the images of a run again and compare their class token and patches, layer by layer.

    Args:
        run: folder of a finished run.
        system: that of the run.
        data: that of the run.
        images_per_class: the first images of each class only; None reads all.
        progress: draw a bar on standard error.

    Raises:
        UsageError: images without labels, or none.
        DataError: other weights or other images than those of the run.
        BackboneError: a model without class token.
    """
    results = read_results(run)
    require_own_weights(run, results, system)
    sample_ids = set(read_columns(run, ["sample_id"])["sample_id"].to_pylist())
    found = [
        class_token_similarity(system.backbone, images.to(system.device))
        for images, _ in run_batches(system, data, sample_ids, images_per_class=images_per_class, progress=progress)
    ]
    curves = {}
    for kind in KINDS:
        values = torch.cat([getattr(batch, kind) for batch in found]).cpu()  # (images, layers)
        bounds = zip(values.mean(dim=0).tolist(), bootstrap_intervals(values).tolist(), strict=True)
        curves[kind] = [Estimate(mean, (low, high)) for mean, (low, high) in bounds]
    return ClassTokenCurves(model_label(results), str(results["data"]["name"]), len(values), curves)
