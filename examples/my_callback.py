"""A callback of your own: it watches a run and writes how long each class group took."""

import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from mkbench.callbacks.result_writer import find_writer
from mkbench.datamodules import ClassGroup


class GroupSeconds(Callback):
    """Adds a line for each class group to a file in the run folder; it changes no number.

    Args:
        file: name of the file.
    """

    def __init__(self, file: str = "seconds.csv") -> None:
        self.file = file
        self.started = 0.0

    def on_predict_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: ClassGroup, batch_idx: int, *_: Any
    ) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: ClassGroup, *_: Any
    ) -> None:
        """Write a line; with several devices, each writes those of its own groups."""
        seconds = time.perf_counter() - self.started
        with (find_writer(trainer).folder / self.file).open("a", encoding="utf-8") as lines:
            lines.write(f"{batch.key},{len(batch)},{seconds:.3f}\n")
