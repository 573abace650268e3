"""Page of interventions: rendered animals with one thing changed at a time, and the pixels that differ.

    python -m benchmarks.critters_interventions runs/interventions/page

writes `page.png` and `page.pdf`. The first column is the image itself; below each changed image, all pixels that are
equal to those of the first are faded.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mkbench.datamodules.critters_interventions import FACTORS, intervene
from mkbench.datamodules.critters_world import render
from mkbench.plotting.panels import draw_image
from mkbench.plotting.style import PAGE_WIDTH, Page, print_style, save_figure

#: Class and number of the images.
SHOWN = (("blorp", 0), ("zindle", 1), ("yarrow", 2))
_GAP, _HEAD = 3.0, 20.0
_FADED = 0.12


def draw_page() -> Figure:
    """Draw the page.

    >>> draw_page().get_size_inches().round(1).tolist()
    [7.2, 4.5]
    """
    side = (PAGE_WIDTH - len(FACTORS) * _GAP) / (len(FACTORS) + 1)
    block = _HEAD + 2 * side + 2 * _GAP
    with print_style():
        page = Page(PAGE_WIDTH, len(SHOWN) * block)
        for row, (name, index) in enumerate(SHOWN):
            critter, top = render(name, index), row * block + _HEAD
            draw_image(page.axes_at(0, top, side, side), critter.image.transpose(2, 0, 1))
            page.canvas.text(0, top - 11, name, va="bottom", fontsize=6, fontweight="bold")
            for column, factor in enumerate(FACTORS, start=1):
                left, pair = column * (side + _GAP), intervene(critter, factor)
                pixels = pair.critter.image
                faded = np.where(pair.changed[..., None], pixels, 255 - _FADED * (255 - pixels)).astype(np.uint8)
                draw_image(page.axes_at(left, top, side, side), pixels.transpose(2, 0, 1))
                draw_image(page.axes_at(left, top + side + _GAP, side, side), faded.transpose(2, 0, 1))
                head = factor.removesuffix("_part")
                page.canvas.text(left, top - 11, head, va="bottom", fontsize=6, fontweight="bold")
                page.canvas.text(left, top - 3, pair.value.replace("_", " "), va="bottom", fontsize=6)
    return page.figure


def main() -> None:
    """Write the page to the path of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="where to write, without .png")
    for path in save_figure(draw_page(), parser.parse_args().path, title="Interventions in Critters"):
        print(path)


if __name__ == "__main__":
    main()
