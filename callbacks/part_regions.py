"""Regions of the parts in the figure of an image, as data beside the figure."""

from matplotlib.figure import Figure

from mkbench.plotting.part_outlines import Corner, part_outlines
from mkbench.plotting.sample import SampleView, image_panels
from mkbench.runs.schema import SCHEMA_VERSION, DrawnPart, FigureRegions

_DECIMALS = 5
_POINTS = 72  # of an inch


def part_regions(sample: SampleView, figure: Figure) -> FigureRegions:
    """Return where in the figure of an image its parts lie, and their descriptors.

    Args:
        sample: what the figure shows.
        figure: the figure.
    """
    size, (rows, columns) = sample.image.shape[-1], sample.part_labels.shape
    step = sample.covered[0] // columns / size, sample.covered[1] // rows / size  # of a patch, shares of the image

    def place(corner: Corner) -> tuple[float, float]:
        return min(round(corner[0] * step[0], _DECIMALS), 1.0), min(round(corner[1] * step[1], _DECIMALS), 1.0)

    parts: list[DrawnPart] = [
        {
            "number": part + 1,  # as the figure numbers them
            "descriptors": list(sample.part_descriptors[part]),
            "outlines": [[place(corner) for corner in polygon] for polygon in polygons],
        }
        for part, polygons in part_outlines(sample.part_labels).items()
    ]
    height = figure.get_figheight() * _POINTS
    panels = image_panels(height)
    return {"schema_version": SCHEMA_VERSION, "panels": panels, "parts": parts}
