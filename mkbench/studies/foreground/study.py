"""CorLoc of the foreground by the first component of the attention keys, beside that of a finished run."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor

from mkbench.concepts import find_foreground
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.metrics.functional import foreground_boxes, paired_bootstrap_difference, wilson_interval
from mkbench.metrics.functional.corloc import localised
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate, model_label, read_results
from mkbench.scorers import Localisation
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_groups
from mkbench.systems import MutualKnowledge


@dataclass(frozen=True)
class ForegroundComparison:
    """Share of the images of a run whose object the box of the foreground finds (CorLoc), by two settings.

    Attributes:
        model: label of the model.
        settings: features and saliency of the run.
        images: images with a true box.
        own: by the settings of the run.
        keys: by the first principal component of the attention keys.
        whole: by the box of the whole image, the control.
        gain: paired difference of keys and own.
        gain_over_whole: paired difference of keys and whole.
    """

    model: str
    settings: tuple[str, str]
    images: int
    own: Estimate
    keys: Estimate
    whole: Estimate
    gain: Estimate
    gain_over_whole: Estimate


def compare_foregrounds(
    run: Path, system: MutualKnowledge, data: ClassGroupDataModule, *, progress: bool = True
) -> ForegroundComparison | None:
    """Find the foreground of a run's images again, by the keys, and count the objects that either finds.

    It costs a forward pass for each image. All else is as in the run: the scope of a class, and the refinement.

    Args:
        run: folder of a finished run of ``MutualKnowledge``.
        system: that of the run.
        data: that of the run.
        progress: draw a bar on standard error.

    Returns:
        The comparison, with 95 % intervals over images; None for a model without keys, a run that used them, and one
        without CorLoc (``mkbench.scorers.Localisation``).

    Raises:
        UsageError: the boxes are gone from the data.
        DataError: other weights or other images than those of the run.
    """
    results = read_results(run)
    require_own_weights(run, results, system)
    if "keys" not in system.backbone.capabilities or (system.features, system.saliency) == ("keys", "pca"):
        return None
    known = _read_hits(run)
    names = [name for name, (own, _) in known.items() if own is not None]
    if not names:
        return None
    groups = run_groups(system, data, known, with_ground_truth=True, progress=progress)
    found = {name: hit for _, group in groups if len(group) for name, hit in _find_by_keys(system, group).items()}
    own, whole = (torch.tensor([known[name][place] for name in names]).double() for place in range(2))
    keys = torch.tensor([found[name] for name in names]).double()
    return ForegroundComparison(
        model=model_label(results),
        settings=(system.features, system.saliency),
        images=len(names),
        own=_share(own),
        keys=_share(keys),
        whole=_share(whole),
        gain=_difference(keys, own),
        gain_over_whole=_difference(keys, whole),
    )


def _read_hits(run: Path) -> dict[str, tuple[bool | None, bool | None]]:
    """Return whether each image's object was found, and by the whole image; None where it is not known."""
    columns = Localisation().columns
    rows = read_columns(run, ("sample_id",), optional=pa.schema([*columns.items()])).to_pydict()
    hits = zip(*(rows[name] for name in columns), strict=True)
    return dict(zip(rows["sample_id"], hits, strict=True))


@torch.no_grad()
def _find_by_keys(system: MutualKnowledge, group: ClassGroup) -> dict[str, bool]:
    """Return whether the object of each image is found."""
    images = group.images.to(system.device)
    chunks = torch.split(images, system.encoder_chunk)
    features = torch.cat([system.backbone.patch_features(chunk, "keys").features.float() for chunk in chunks])
    foreground = find_foreground(
        features,
        system.backbone.grid,
        images,
        scope=system.scope,
        method="pca",
        refine=system.refine,
        patch_size=system.backbone.patch_size,
    )
    boxes = None if group.ground_truth is None else group.ground_truth.boxes
    if boxes is None:
        raise UsageError(f"Expected images with true boxes, found none in the group {group.key}; take other data.")
    hits = localised(foreground_boxes(foreground.pixels.cpu()), boxes).tolist()
    return dict(zip(group.sample_ids, hits, strict=True))


def _share(hits: Tensor) -> Estimate:
    return Estimate(float(hits.mean()), wilson_interval(int(hits.sum()), len(hits)))


def _difference(first: Tensor, second: Tensor) -> Estimate:
    return Estimate(float((first - second).mean()), paired_bootstrap_difference(first, second))
