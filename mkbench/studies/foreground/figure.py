"""Figure of the foreground of some images by two settings, model by model."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mkbench.plotting.foregrounds import foregrounds_figure
from mkbench.runs.results import Estimate
from mkbench.studies.foreground.study import ForegroundComparison
from mkbench.tables import fixed

_NOTE = (
    "Red: prominent; outlined: the foreground. Found: its box, refined, overlaps that of the animal (IoU above 0.5). "
    "The images are the first of every few classes, whatever is found in them."
)


def foreground_figure(found: Sequence[ForegroundComparison]) -> Figure:
    """Draw the first images of some classes, and of each model their maps by both settings.

    Args:
        found: at least one comparison, all over the same images.
    """
    rows = [
        row
        for one in found
        for row in (
            (_name(one.model, f"{one.settings[0]}, {one.settings[1]}", one.own), [shown.own for shown in one.shown]),
            (_name(one.model, "keys, pca", one.keys), [shown.keys for shown in one.shown]),
        )
    ]
    heading = "Where the foreground lies by the settings of the run, and by the first component of the keys"
    return foregrounds_figure([shown.image for shown in found[0].shown], rows, heading=heading, note=_NOTE)


def _name(model: str, settings: str, share: Estimate) -> str:
    return f"{model}: {settings} (CorLoc {fixed(100 * share.value, 1)} %)"
