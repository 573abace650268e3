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
from mkbench.results.sample_figure import SampleView, sample_figure
from mkbench.systems.mutual_knowledge import GroupResult, MutualKnowledge

#: Language concepts in the picture of the two encoders' concepts, as published.
_VENN_CONCEPTS = 15


class Visualiser(Callback):
    """Draws the first picture with parts of some classes to ``figures/`` of the bundle.

    Args:
        samples: classes to draw, spread evenly over the class list; 0 draws no sample.
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
        """Draw a picture of the group, if its class is one of the chosen."""
        if not (isinstance(outputs, GroupResult) and isinstance(pl_module, MutualKnowledge)):
            return
        data = attached_data(trainer)
        if batch.part or batch.class_index not in self._chosen(len(data.class_names)):
            return
        folder = find_writer(trainer).folder / FIGURES
        with_parts = outputs.foreground.patches.flatten(1).any(1)
        first = int(with_parts.int().argmax())  # 0 if there is no picture with parts to show
        for explainer in outputs.explained:
            figure = sample_figure(sample_view(outputs, first, explainer, pl_module, data))
            save_figure(figure, folder / f"sample-{batch.class_index:05d}-{explainer}")

    def _chosen(self, classes: int) -> set[int]:
        return {position * classes // self.samples for position in range(min(self.samples, classes))}

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the curve of the finished run."""
        run = find_writer(trainer).folder
        if trainer.is_global_zero and (run / RESULTS).is_file():
            results, _ = read_results(run)
            save_figure(mi_curve_figure(results), run / FIGURES / "mutual-information-curve")


def sample_view(
    result: GroupResult, index: int, explainer: str, system: MutualKnowledge, data: ClassGroupDataModule
) -> SampleView:
    """Return what the figure of one picture shows.

    Args:
        result: the group.
        index: number of the picture within the group.
        explainer: name of the explainer.
        system: the system, for its language concepts.
        data: the data, for names and descriptors.
    """
    explanation = result.explained[explainer].explanation
    texts, image = data.bank.descriptors, explanation.image(index)
    parts: list[list[str]] = [[] for _ in range(explanation.present.shape[1])]
    for part in image.parts:
        parts[part.index] = [texts[i] for i in part.descriptor_ids.tolist()]
    conditioning = int(result.conditioning[index])
    language = system.knowledge.language[conditioning, :_VENN_CONCEPTS].tolist()
    return SampleView(
        image=result.group.images[index].cpu().numpy(),
        saliency=result.foreground.saliency[index].cpu().numpy(),
        part_labels=explanation.part_labels[index].cpu().numpy(),
        part_descriptors=parts,
        concepts=[
            (texts[i], value) for i, value in zip(image.concept_ids.tolist(), image.importance.tolist(), strict=True)
        ],
        language=[texts[i] for i in language],
        class_name=data.class_names[result.group.class_index],
        predicted_name=data.class_names[int(result.ranking[index, 0])],
        explainer=explainer,
        model=system.backbone.name,
    )
