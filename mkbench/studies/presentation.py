"""Tables and plots of a study, for a page that shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from mkbench.tables import ResultTable


@dataclass(frozen=True)
class Plot:
    """A figure with its caption.

    Attributes:
        caption: what it shows, in a sentence.
        draw: returns the figure; who needs the tables alone never calls it.
    """

    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Presentation:
    """What a study has to show of some runs.

    Attributes:
        title: of the study.
        tables: each with a title of its own.
        plots: below the tables.
        details: tables that are long, or about one run alone.
    """

    title: str
    tables: Sequence[ResultTable] = ()
    plots: Sequence[Plot] = ()
    details: Sequence[ResultTable] = ()
