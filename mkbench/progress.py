"""Progress bar of long work: how much is done, time elapsed and time left."""

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
