"""Training of any baseline head on cached features."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from mkbench.baselines.base import Head, HeadInputs
from mkbench.errors import UsageError
from mkbench.systems.features.cached_features import attached_features
from mkbench.systems.features.feature_set import FeatureBatch, FeatureSet


class BaselineTraining(L.LightningModule):
    """Trains a head on the frozen features of :class:`CachedFeatures`: Adam, with a cosine from one rate to another.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D, whose rates are the defaults.

    Args:
        head: what builds the head; in a configuration its ``class_path``, such as ``mkbench.baselines.MMCBM``, and its
            options.
        learning_rate: of the first step.
        final_learning_rate: of the last step.

    Raises:
        UsageError: rates that are not positive, or that rise.
    """

    def __init__(
        self,
        head: Callable[[HeadInputs], Head],
        *,
        learning_rate: float = 1e-4,
        final_learning_rate: float = 1e-5,
    ) -> None:
        super().__init__()
        if not 0 < final_learning_rate <= learning_rate:
            raise UsageError(
                "Expected a positive --model.final_learning_rate that is not above --model.learning_rate, found "
                f"{final_learning_rate} and {learning_rate}; correct them."
            )
        self.make_head = head
        self.learning_rate, self.final_learning_rate = learning_rate, final_learning_rate
        self.built: Head | None = None
        self.accuracy: MulticlassAccuracy | None = None

    @property
    def head(self) -> Head:
        """The head; known when training begins.

        Raises:
            RuntimeError: it has not been built.
        """
        if self.built is None:
            raise RuntimeError("Expected a head, found none; it is built when training begins.")
        return self.built

    def configure_model(self) -> None:
        """Build the head for the features at hand, once."""
        if self.built is None:
            inputs = attached_features(self.trainer).inputs
            self.built = self.make_head(inputs)
            self.accuracy = MulticlassAccuracy(len(inputs.class_concepts), average="micro")

    def training_step(self, batch: FeatureBatch, batch_index: int) -> Tensor:
        """Return the loss of the head."""
        loss = self.head.loss(*batch)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.target))
        return loss

    def validation_step(self, batch: FeatureBatch, batch_index: int) -> None:
        """Scorer top-1 on the test images; nothing is chosen by it."""
        if self.accuracy is not None:
            self.accuracy.update(self.head(batch.features, batch.embedding).float(), batch.target)
            self.log("test_top1", self.accuracy, prog_bar=True, batch_size=len(batch.target))

    def configure_optimizers(self) -> Any:
        """Return Adam with a cosine schedule, stepped every batch."""
        optimizer = torch.optim.Adam(self.head.parameters(), lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, max(1, int(self.trainer.estimated_stepping_batches)), eta_min=self.final_learning_rate
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@torch.no_grad()
def measure_top1(head: Head, features: FeatureSet, *, device: torch.device, batch_size: int = 64) -> float:
    """Return the share of images whose class a head finds, 0 to 1.

    The head is in evaluation mode meanwhile, and keeps its mode.

    Args:
        head: the head, on ``device``.
        features: the images.
        device: where to compute.
        batch_size: images at once.
    """
    mode = head.training
    head.eval()
    right = 0
    for start in range(0, len(features), batch_size):
        batch = features.__getitems__(range(start, min(start + batch_size, len(features))))
        logits = head(batch.features.to(device), batch.embedding.to(device))
        right += int((logits.argmax(dim=1).cpu() == batch.target).sum())
    head.train(mode)
    return right / len(features)
