"""Draws a few explained pictures of a run, and its mutual-information curve."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from mkbench.callbacks.result_writer import find_writer
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.results.bundle import FIGURES, RESULTS, read_results
from mkbench.results.drawing import save_figure
from mkbench.results.figures import mi_curve_figure
from mkbench.results.sample_figure import sample_figure
from mkbench.results.sample_view import sample_view
from mkbench.systems.mutual_knowledge import GroupResult, MutualKnowledge


class Visualiser(Callback):
    """Draws the first picture with parts of some classes, or some of the pictures without labels, to ``figures/``.

    Args:
        samples: classes to draw, spread evenly over the class list, or pictures without labels, spread evenly over all
            of them; 0 draws no sample.
    """

    def __init__(self, samples: int = 4) -> None:
        self.samples = samples

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: ClassGroup,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the chosen pictures of the group."""
        if not (isinstance(outputs, GroupResult) and isinstance(pl_module, MutualKnowledge)):
            return
        data = attached_data(trainer)
        folder = find_writer(trainer).folder / FIGURES
        for name, index in self._pictures(outputs, data):
            for explainer in outputs.explained:
                figure = sample_figure(
                    sample_view(
                        outputs,
                        index,
                        explainer,
                        pl_module.knowledge,
                        names=data.class_names,
                        bank=data.bank.descriptors,
                        model=pl_module.backbone.name,
                    )
                )
                save_figure(figure, folder / f"sample-{name}-{explainer}")

    def _pictures(self, result: GroupResult, data: ClassGroupDataModule) -> list[tuple[str, int]]:
        """Return what to draw of a group: a name for each picture, and its number within the group."""
        label = result.group.class_index
        if label is None:
            return self._unlabelled_pictures(result.group, data)
        if result.group.part or label not in self._chosen(len(data.class_names)):
            return []
        with_parts = result.foreground.patches.flatten(1).any(1)
        return [(f"{label:05d}", int(with_parts.int().argmax()))]  # 0 if there is no picture with parts to show

    def _unlabelled_pictures(self, group: ClassGroup, data: ClassGroupDataModule) -> list[tuple[str, int]]:
        ids = data.specs[group.part].sample_ids
        size, last = len(data.specs[0].sample_ids), len(data.specs[-1].sample_ids)  # only the last group may be smaller
        first, total = size * group.part, size * (len(data.specs) - 1) + last
        chosen = {ids[number - first]: number for number in self._chosen(total) if 0 <= number - first < len(ids)}
        return [(f"unlabelled-{chosen[i]:06d}", place) for place, i in enumerate(group.sample_ids) if i in chosen]

    def _chosen(self, number: int) -> set[int]:
        count = min(self.samples, number)
        return {position * number // count for position in range(count)}

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the curve of the finished run."""
        run = find_writer(trainer).folder
        if trainer.is_global_zero and isinstance(pl_module, MutualKnowledge) and (run / RESULTS).is_file():
            results, _ = read_results(run)
            save_figure(mi_curve_figure(results), run / FIGURES / "mutual-information-curve")
