"""Callback that draws a few explained images of a run, and its mutual-information curve."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from mkbench.callbacks.part_regions import part_regions
from mkbench.callbacks.result_writer import find_writer
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import MkbenchWarning
from mkbench.plotting.sample import SampleView, sample_figure
from mkbench.plotting.style import save_figure
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import FIGURES, write_json
from mkbench.scorers.explained_group import GroupResult
from mkbench.studies.head_segmentation.figure import segmentation_figure
from mkbench.studies.head_segmentation.table import method_label
from mkbench.studies.mutual_knowledge.figure.curve import mi_curve_figure
from mkbench.studies.mutual_knowledge.figure.sample import sample_view
from mkbench.systems.head_segmentation import HeadSegmentation
from mkbench.systems.mutual_knowledge import MutualKnowledge
from mkbench.systems.records.head_segmentation import METHODS
from mkbench.systems.segmented_group import SegmentedGroup

#: Images of a class that are drawn with the maps that segment them.
_SEGMENTED = 3
_CURVE = "mutual-information-curve"


class Visualiser(Callback):
    """Draws the first image with parts of some classes, or some of the images without labels, to ``figures/``.

    Of a run that segments images, it draws the first images of some classes with their maps.

    Args:
        samples: classes to draw, spread evenly over the class list, or images without labels, spread evenly over all
            of them; 0 draws no sample.
    """

    def __init__(self, samples: int = 4) -> None:
        self.samples = samples
        self._failed = False

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: ClassGroup,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the chosen images of the group."""
        with self._forgiving():
            self._draw_group(trainer, pl_module, outputs)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Let no figure end a run: say once what failed, and go on."""
        try:
            yield
        except Exception as error:  # a font without a letter, a full disk, a fault of the drawing
            if not self._failed:
                warnings.warn(f"A figure was left out: {type(error).__name__}: {error}", MkbenchWarning, stacklevel=2)
            self._failed = True

    def _draw_group(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any) -> None:
        if isinstance(outputs, SegmentedGroup) and isinstance(pl_module, HeadSegmentation):
            self._draw_segmented(trainer, pl_module, outputs)
        if not (isinstance(outputs, GroupResult) and isinstance(pl_module, MutualKnowledge)):
            return
        data = attached_data(trainer)
        folder = find_writer(trainer).folder / FIGURES
        with_parts = outputs.foreground.patches.flatten(1).any(1)
        first = int(with_parts.int().argmax())  # 0 if there is no image with parts to show
        for name, index in self._images(outputs.group, data, first=first):
            for explainer in outputs.explained:
                view = sample_view(
                    outputs,
                    index,
                    explainer,
                    pl_module.knowledge,
                    names=data.class_names,
                    bank=data.bank.descriptors,
                    model=pl_module.backbone.name,
                    patch_size=pl_module.backbone.patch_size,
                )
                _save_sample(view, folder / f"sample-{name}-{explainer}", outputs.group.sample_ids[index])

    def _draw_segmented(self, trainer: L.Trainer, system: HeadSegmentation, answer: SegmentedGroup) -> None:
        """Draw the chosen images of a group, and those after them."""
        data, settings = attached_data(trainer), system.settings()
        for name, index in self._images(answer.group, data, first=0):
            figure = segmentation_figure(
                answer,
                range(index, min(index + _SEGMENTED, len(answer.group))),
                labels=[method_label(method, settings) for method in METHODS],
                class_names=data.class_names,
                model=system.backbone.name,
            )
            save_figure(figure, find_writer(trainer).folder / FIGURES / f"segmentation-{name}")

    def _images(self, group: ClassGroup, data: ClassGroupDataModule, *, first: int) -> list[tuple[str, int]]:
        """Return what to draw of a group: a name for each image, and its number within the group."""
        label = group.class_index
        if label is None:
            return self._unlabelled_images(group, data)
        if group.part or label not in self._chosen(len(data.class_names)):
            return []
        return [(f"{label:05d}", first)]

    def _unlabelled_images(self, group: ClassGroup, data: ClassGroupDataModule) -> list[tuple[str, int]]:
        ids = data.specs[group.part].sample_ids
        size, last = len(data.specs[0].sample_ids), len(data.specs[-1].sample_ids)  # only the last group may be smaller
        first, total = size * group.part, size * (len(data.specs) - 1) + last
        chosen = {ids[number - first]: number for number in self._chosen(total) if 0 <= number - first < len(ids)}
        return [(f"unlabelled-{chosen[i]:06d}", place) for place, i in enumerate(group.sample_ids) if i in chosen]

    def _chosen(self, number: int) -> set[int]:
        count = min(self.samples, number)
        return {position * number // count for position in range(count)}

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Draw the curve of the run, which may have been finished by an earlier call that was killed before it drew.

        The writer comes after this callback, so that a group has its figures when it has a file; so it is asked here.
        """
        if stage != "predict" or not (trainer.is_global_zero and isinstance(pl_module, MutualKnowledge)):
            return
        writer = find_writer(trainer)
        writer.restore(trainer, pl_module)
        curve = writer.folder / FIGURES / _CURVE
        if writer.already_finished and all(curve.with_suffix(suffix).is_file() for suffix in (".png", ".pdf")):
            return
        with self._forgiving():
            save_figure(mi_curve_figure(read_results(writer.folder)), curve)


def _save_sample(view: SampleView, base: Path, sample_id: str) -> None:
    """Write the figure of an image, and beside it where its parts lie."""
    figure = sample_figure(view)
    save_figure(figure, base, title=sample_id)
    write_json(base.with_name(f"{base.name}.json"), part_regions(view, figure))
