"""Time of several workloads in turn, and a table of what was measured."""

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table


def median_seconds(
    workloads: Mapping[str, Callable[[], object]], rounds: int, *, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Run workloads in turn and return the median time of each, in seconds; one run of each first warms up.

    The CPU time of this process says little of what else the machine does; turns spread over all of them what is left.

    Args:
        workloads: name -> what is to be measured.
        rounds: how often each is measured, at least once.
        clock: returns seconds; by default the CPU time of this process. That of a GPU has to wait for it.

    Raises:
        ValueError: no round.

    >>> list(median_seconds({"nothing": lambda: None}, 1))
    ['nothing']
    """
    if rounds < 1:
        raise ValueError(f"Expected at least one round, got {rounds}.")
    times: dict[str, list[float]] = {name: [] for name in workloads}
    for measured in [False] + [True] * rounds:
        for name, run in workloads.items():
            start = clock()
            run()
            spent = clock() - start
            if measured:
                times[name].append(spent)
    return {name: statistics.median(values) for name, values in times.items()}


def print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows with the same keys as a table, or as one JSON list."""
    if as_json:
        print(json.dumps(list(rows)))
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
