"""Callback that exports a trained model as a folder for `load_backbone("local-dir:FOLDER")`."""

from pathlib import Path

import lightning as L
import open_clip

from mkbench.backbones import save_local
from mkbench.callbacks.training_export import TrainingExport
from mkbench.errors import UsageError
from mkbench.systems.contrastive import ContrastiveTraining


class ModelExport(TrainingExport):
    """Export of the model when training ends; weights are stored in fp16.

    Args:
        folder: the model folder to write.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuse another system before it is trained in vain."""
        if not isinstance(pl_module, ContrastiveTraining):
            raise UsageError(f"Expected a ContrastiveTraining system to export, found {type(pl_module).__name__}.")

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write configuration, vocabulary and weights."""
        if trainer.is_global_zero and isinstance(pl_module, ContrastiveTraining):
            preprocess = {
                "mean": list(open_clip.OPENAI_DATASET_MEAN),
                "std": list(open_clip.OPENAI_DATASET_STD),
                "interpolation": "bilinear",
                "resize_mode": "squash",
            }
            config = {"model_cfg": dict(pl_module.model_config), "preprocess_cfg": preprocess}
            save_local(pl_module.clip.cpu(), pl_module.vocabulary, config, self.target)
            self.forget()
