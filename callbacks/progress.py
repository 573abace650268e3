"""Progress of a prediction: groups done, images a second, time left."""

import sys
import time
from datetime import timedelta
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.progress import Progress, Task, TaskID

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.progress import counting_bar

#: Least seconds between two lines where there is no terminal to draw a bar on.
LINE_SECONDS = 5.0


class GroupProgress(Callback):
    """Progress bar over the class groups of this process, drawn by the first device only.

    Where standard error is no terminal, there is a line every few seconds instead.

    Args:
        enabled: draw the bar; it goes to standard error, so that standard output holds results alone.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._lines = False
        self._images = 0
        self._said = 0.0

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the empty bar."""
        if not (self.enabled and trainer.is_global_zero):
            return
        batches: Any = trainer.num_predict_batches
        self._images, self._said = 0, time.monotonic()
        terminal = sys.stderr.isatty()
        self._progress = counting_bar("groups, {task.fields[rate]} images/s,", shown=terminal)
        self._lines = not terminal
        name = getattr(getattr(pl_module, "backbone", None), "name", type(pl_module).__name__)
        self._task = self._progress.add_task(name, total=sum(batches), rate="-")
        self._progress.start()

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: ClassGroup,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move the bar on by one group."""
        if self._progress is None or self._task is None:
            return
        self._images += len(batch)
        elapsed = self._progress.tasks[self._task].elapsed or 0.0
        rate = f"{self._images * trainer.world_size / elapsed:.1f}" if elapsed else "-"
        self._progress.update(self._task, advance=1, rate=rate)
        if self._lines:
            self._say_line(self._progress.tasks[self._task])

    def _say_line(self, task: Task) -> None:
        """Print a line, unless one was printed just now; the last group always has one."""
        now = time.monotonic()
        if now - self._said < LINE_SECONDS and not task.finished:
            return
        self._said = now
        done, left = f"{task.completed:.0f}/{task.total or 0:.0f}", "" if task.finished else f", {_left(task)} left"
        said = f"{task.description}: {done} groups, {task.fields['rate']} images/s{left}"
        print(said, file=sys.stderr, flush=True)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the finished bar on the screen."""
        self._stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _left(task: Task) -> str:
    """Return how long the rest will take at the pace so far, as H:MM:SS."""
    seconds = (task.elapsed or 0.0) * ((task.total or 0.0) / task.completed - 1)
    return str(timedelta(seconds=round(seconds)))
