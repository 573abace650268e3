"""Progress bar of long work: how much is done, time elapsed and time left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def counting_bar(unit: str, *, shown: bool = True) -> Progress:
    """Return a bar on standard error, so that standard output holds results alone.

    Args:
        unit: what follows the count; it may name fields of the task, as in ``{task.fields[rate]}``.
        shown: draw it.

    >>> with counting_bar("images,", shown=False) as bar:
    ...     bar.add_task("reading", total=2)
    0
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("so far,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        disable=not shown,
    )


@contextmanager
def late_bar(
    description: str, unit: str, *, total: int, after: float = 1.0, every: float = 60.0
) -> Iterator[Callable[[int], None]]:
    """Give a function that counts work done; progress shows on standard error once the work has taken a while.

    Args:
        description: what stands before the bar.
        unit: what follows the count.
        total: how much work there is.
        after: seconds after which a terminal shows the bar.
        every: seconds between the lines that are printed where standard error is no terminal.

    >>> with late_bar("encoding", "texts,", total=2) as advance:
    ...     advance(2)
    """
    bar = counting_bar(unit)
    terminal = bar.console.is_terminal
    task = bar.add_task(description, total=total)
    due = time.monotonic() + (after if terminal else every)

    def advance(done: int) -> None:
        nonlocal due
        bar.advance(task, done)
        if time.monotonic() < due:
            return
        if terminal:
            bar.start()  # does nothing to a bar that shows already
        else:
            bar.console.print(f"{description} {bar.tasks[task].completed:.0f}/{total} {unit}".rstrip(","))
            due = time.monotonic() + every

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
