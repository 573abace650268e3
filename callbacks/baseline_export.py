"""Callback that exports a trained baseline as a safetensors file."""

from pathlib import Path
from typing import Any

import lightning as L

from mkbench.baselines.trained_baseline import save_head
from mkbench.callbacks.training_export import TrainingExport
from mkbench.errors import UsageError
from mkbench.systems.baseline_training import BaselineTraining, measure_top1
from mkbench.systems.features.cached_features import attached_features


class BaselineExport(TrainingExport):
    """Export of the head when training ends, with its top-1 on the test images, and says both on standard output.

    Args:
        file: the file to write, safetensors.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuse another system before it is trained in vain."""
        if not isinstance(pl_module, BaselineTraining):
            raise UsageError(f"Expected a BaselineTraining system to export, found {type(pl_module).__name__}.")

    def belongs_to(self, trainer: L.Trainer) -> dict[str, Any]:
        """Describe the training, with the weights, the images and the texts that its features are of."""
        return {**super().belongs_to(trainer), **attached_features(trainer).record}

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Measure top-1 while the head is still on its device, and write the file."""
        if not (trainer.is_global_zero and isinstance(pl_module, BaselineTraining)):
            return
        data, head = attached_features(trainer), pl_module.head
        test = data.sets["test"]
        top1 = measure_top1(head, test, device=pl_module.device, batch_size=data.batch_size)
        training = {
            "learning_rate": [pl_module.learning_rate, pl_module.final_learning_rate],
            "batch_size": data.batch_size,
            "steps": trainer.global_step,
        }
        record = data.record | {"training": training, "top1": top1, "test_images": len(test)}
        save_head(self.target, head, record)
        self.forget()
        print(f"{head.name}: top-1 {100 * top1:.1f} % of {len(test)} test images, written to {self.target}")
