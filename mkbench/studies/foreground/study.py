"""CorLoc of the foreground by the first component of the attention keys, beside that of a finished run."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.backbones.base import Kind
from mkbench.concepts import Foreground, find_foreground
from mkbench.concepts.saliency import Method
from mkbench.concepts.upscale import covered_pixels
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.metrics.functional import foreground_boxes, paired_bootstrap_difference, wilson_interval
from mkbench.metrics.functional.corloc import localised
from mkbench.plotting.foregrounds import ForegroundMap
from mkbench.plotting.panels import image_pixels
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate, model_label, read_results
from mkbench.scorers import Localisation
from mkbench.studies.own_weights import require_own_weights
from mkbench.studies.run_batches import run_groups
from mkbench.systems import MutualKnowledge

#: Classes whose first image is shown.
_SHOWN = 4


class ShownForeground(NamedTuple):
    """An image with its foreground by both settings.

    Attributes:
        image: (3, S, S) uint8.
        own: by the settings of the run.
        keys: by the keys.
    """

    image: NDArray[np.uint8]
    own: ForegroundMap
    keys: ForegroundMap


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
        shown: the first images of some classes, for a figure.
    """

    model: str
    settings: tuple[str, str]
    images: int
    own: Estimate
    keys: Estimate
    whole: Estimate
    gain: Estimate
    gain_over_whole: Estimate
    shown: tuple[ShownForeground, ...] = ()


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
    found: dict[str, bool] = {}
    shown: list[ShownForeground] = []
    step = -(-len(data.specs) // _SHOWN)
    groups = run_groups(system, data, known, with_ground_truth=True, progress=progress)
    for number, (_, group) in enumerate(groups):
        if len(group):
            keys, hits = _find(system, group, "keys", "pca")
            found |= dict(zip(group.sample_ids, hits, strict=True))
            if number % step == 0:
                own = _find(system, group, system.features, system.saliency)
                shown.append(_show(system, group, own, (keys, hits)))
    own_hits, whole = (torch.tensor([known[name][place] for name in names]).double() for place in range(2))
    keys_hits = torch.tensor([found[name] for name in names]).double()
    return ForegroundComparison(
        model=model_label(results),
        settings=(system.features, system.saliency),
        images=len(names),
        own=_share(own_hits),
        keys=_share(keys_hits),
        whole=_share(whole),
        gain=_difference(keys_hits, own_hits),
        gain_over_whole=_difference(keys_hits, whole),
        shown=tuple(shown),
    )


def _read_hits(run: Path) -> dict[str, tuple[bool | None, bool | None]]:
    """Return whether each image's object was found, and by the whole image; None where it is not known."""
    columns = Localisation().columns
    rows = read_columns(run, ("sample_id",), optional=pa.schema([*columns.items()])).to_pydict()
    hits = zip(*(rows[name] for name in columns), strict=True)
    return dict(zip(rows["sample_id"], hits, strict=True))


@torch.no_grad()
def _find(system: MutualKnowledge, group: ClassGroup, kind: Kind, method: Method) -> tuple[Foreground, list[bool]]:
    """Return the foreground of each image, and whether it finds the object."""
    images = group.images.to(system.device)
    chunks = torch.split(images, system.encoder_chunk)
    foreground = find_foreground(
        torch.cat([system.backbone.patch_features(chunk, kind).features.float() for chunk in chunks]),
        system.backbone.grid,
        images,
        scope=system.scope,
        method=method,
        refine=system.refine,
        patch_size=system.backbone.patch_size,
    )
    boxes = None if group.ground_truth is None else group.ground_truth.boxes
    if boxes is None:
        raise UsageError(f"Expected images with true boxes, found none in the group {group.key}; take other data.")
    return foreground, localised(foreground_boxes(foreground.pixels.cpu()), boxes).tolist()


def _show(
    system: MutualKnowledge,
    group: ClassGroup,
    own: tuple[Foreground, list[bool]],
    keys: tuple[Foreground, list[bool]],
) -> ShownForeground:
    """Return the first image of a group."""
    height, width = (
        covered_pixels(group.images.shape[-1], side, system.backbone.patch_size) for side in system.backbone.grid
    )
    maps = [
        ForegroundMap(
            foreground.saliency[0].cpu().numpy(), foreground.patches[0].cpu().numpy(), (width, height), hits[0]
        )
        for foreground, hits in (own, keys)
    ]
    return ShownForeground(image_pixels(group.images[0]), *maps)


def _share(hits: Tensor) -> Estimate:
    return Estimate(float(hits.mean()), wilson_interval(int(hits.sum()), len(hits)))


def _difference(first: Tensor, second: Tensor) -> Estimate:
    return Estimate(float((first - second).mean()), paired_bootstrap_difference(first, second))
