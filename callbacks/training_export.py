"""Base of the callbacks that export what was trained: a training that was stopped goes on from its last epoch."""

import glob
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError, UsageError
from mkbench.runs.manifest import differences

_KEY = "mkbench"


class TrainingExport(Callback):
    """Keeper of the state after the last epoch, beside what is exported, until that is written.

    What is stopped and goes on ends with the weights of a training that was not stopped, to the bit on one machine: the
    state of the random numbers is part of it.

    Args:
        target: the file or folder that is exported in the end.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.settings: Mapping[str, Any] = {}
        """What a training that goes on must have in common with the one before: model, data, seed and trainer."""
        self._random: Mapping[str, torch.Tensor] | None = None

    @property
    def checkpoint(self) -> Path:
        """The file that holds the state of a training that has not ended."""
        return self.target.with_name(f"{self.target.name}.ckpt")

    def belongs_to(self, trainer: L.Trainer) -> dict[str, Any]:
        """Describe the training of which the state is kept: its settings, and what they stood for."""
        return {"settings": dict(self.settings)}

    def find_checkpoint(self) -> Path | None:
        """Return the file with the state of a training that was stopped, None if there is none; no code of it is run.

        Raises:
            DataError: it is damaged, or holds other things than tensors, numbers and texts.
        """
        if not self.checkpoint.exists():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's guesses of what else the file may be
                kept = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            fits = isinstance(kept[_KEY]["belongs_to"], dict) and isinstance(kept[_KEY]["random"]["cpu"], torch.Tensor)
        except Exception:  # whatever torch stumbles over in a damaged file
            fits = False
        if not fits:
            raise DataError(
                f"Expected in {self.checkpoint} the state of a training that was stopped, found a damaged or another "
                "file; delete it to start again."
            )
        return self.checkpoint

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the state, unless the training ends here."""
        if trainer.current_epoch + 1 == trainer.max_epochs or trainer.global_step == trainer.max_steps:
            return
        with written_whole(self.checkpoint) if trainer.is_global_zero else nullcontext(self.checkpoint) as path:
            trainer.save_checkpoint(path)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what the state belongs to, and that of the random numbers."""
        random = {"cpu": torch.get_rng_state()}
        if pl_module.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(pl_module.device)
        checkpoint[_KEY] = {"belongs_to": self.belongs_to(trainer), "random": random}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Say from where the training goes on.

        Raises:
            UsageError: the state belongs to another training.
        """
        differing = differences(checkpoint[_KEY]["belongs_to"], self.belongs_to(trainer))
        if differing:
            raise UsageError(
                f"Expected the training that {self.checkpoint} is the state of, found another: {', '.join(differing)}; "
                "give what it was started with to go on, or delete the file to start again."
            )
        self._random = checkpoint[_KEY]["random"]
        if trainer.is_global_zero:
            print(f"training goes on from {self.checkpoint} after {checkpoint['global_step']} steps")

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the random numbers at the start of the first epoch that is trained on."""
        if self._random is None:
            return
        torch.set_rng_state(self._random["cpu"].cpu())
        if "cuda" in self._random and pl_module.device.type == "cuda":
            torch.cuda.set_rng_state(self._random["cuda"].cpu(), pl_module.device)
        self._random = None
        if getattr(trainer.fit_loop, "is_resuming", False):
            # A loader draws a number when a pass over it begins; since 2.6 Lightning began that of this epoch before.
            torch.empty((), dtype=torch.int64).random_()

    def forget(self) -> None:
        """Delete the state, and what a process left that was killed while it wrote; what was trained is exported."""
        half_written = self.checkpoint.parent.glob(f".{glob.escape(self.checkpoint.name)}.*")
        for file in (self.checkpoint, *half_written):
            file.unlink(missing_ok=True)


def find_exports(trainer: L.Trainer) -> list[TrainingExport]:
    """List the trainer's callbacks that export what is trained."""
    callbacks: Any = getattr(trainer, "callbacks", [])
    return [callback for callback in callbacks if isinstance(callback, TrainingExport)]
