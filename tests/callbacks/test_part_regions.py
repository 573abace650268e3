from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mkbench.callbacks.part_regions import part_regions
from mkbench.plotting.sample import SampleView, sample_figure
from mkbench.plotting.style import save_figure
from mkbench.runs.schema import FigureRegions, find_fault


def view(covered: tuple[int, int] = (80, 80)) -> SampleView:
    """A white image, whose second part is the top left patch of five by five."""
    labels = np.full((5, 5), -1, np.int64)
    labels[0, 0] = 1
    return SampleView(
        image=np.full((3, 80, 80), 255, np.uint8),
        saliency=np.zeros((5, 5)),
        part_labels=labels,
        covered=covered,
        part_descriptors=[[], ["four legs", "a tail"]],
        concepts=[("four legs", 0.7)],
        language=["wings"],
        class_name="dog",
        predicted_name="cat",
        heading="ViT",
    )


def test_parts_have_the_number_of_the_figure_their_descriptors_and_outlines() -> None:
    sample = view()
    regions = part_regions(sample, sample_figure(sample))
    (part,) = regions["parts"]
    assert (part["number"], part["descriptors"]) == (2, ["four legs", "a tail"])
    assert [set(polygon) for polygon in part["outlines"]] == [{(0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2)}]
    assert find_fault(json.loads(json.dumps(regions)), FigureRegions) is None


@pytest.mark.parametrize("panel", [0, 1])
def test_panels_lie_where_the_figure_has_the_image(tmp_path, panel: int) -> None:
    """The image is black: the figure is dark inside of the panel, and white beside it."""
    sample = view()
    sample.image[:] = 0
    figure = sample_figure(sample)
    left, top, width, height = part_regions(sample, figure)["panels"][panel]
    png, _ = save_figure(figure, tmp_path / "sample")
    with Image.open(png) as drawn:
        grey = np.asarray(drawn.convert("L"), dtype=float)
    rows, columns = grey.shape
    y0, y1, x0, x1 = top * rows, (top + height) * rows, left * columns, (left + width) * columns
    tall = slice(round(y0) + 3, round(y1) - 3)
    assert grey[tall, round(x1) - 20 : round(x1) - 3].max() < 190  # no part is there; the panel of parts is pale
    assert grey[tall, round(x1) + 3 : round(x1) + 6].min() > 250
    assert grey[tall, round(x0) - 6 : round(x0) - 3].min() > 250


def test_patches_beyond_the_edge_end_with_the_image() -> None:
    """Patches of 20 pixels over an image of 80, five of them: the last one lies outside."""
    sample = view(covered=(100, 100))
    sample.part_labels[:] = 0
    regions = part_regions(sample, sample_figure(sample))
    assert {corner for part in regions["parts"] for corner in part["outlines"][0]} == {
        (0.0, 0.0),
        (1.0, 0.0),
        (1.0, 1.0),
        (0.0, 1.0),
    }
