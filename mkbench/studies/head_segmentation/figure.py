"""Figure of segmented images: the image, its true object, and the maps from which it is cut."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from mkbench.heads.segmentation import segment
from mkbench.heads.segmentation_scores import MapScores, score_maps
from mkbench.plotting.panels import draw_image
from mkbench.plotting.style import LINE_HEIGHT, PAGE_WIDTH, PALETTE, Page, print_style, wrap_text, write_lines
from mkbench.systems.segmented_group import SegmentedGroup

_MARGIN, _GUTTER = 6.0, 8.0  # points
_HEADING, _SIZE, _SMALL = 8.5, 6.5, 5.5  # fonts, points
_EMPTY = "no object visible"


def segmentation_figure(
    answer: SegmentedGroup, places: Sequence[int], *, labels: Sequence[str], class_names: Sequence[str], model: str
) -> Figure:
    """Draw some images of a group, each with the true object, and the maps of all methods with what is cut out.

    Of a method that draws several maps of an image, the first one is shown.

    Args:
        answer: the group.
        places: numbers of the images within it, at least one.
        labels: names of the methods for print.
        class_names: names in class order.
        model: name of the model for the heading.
    """
    names = dict.fromkeys(class_names[index] for index in answer.images.classes[list(places)].tolist())
    finds = ", ".join(f"“{name}”" for name in names)
    heading = f"Where {model} finds {finds}: cut out along the solid line; dotted: the true object"
    several = [maps.shape[1] > 1 for maps in answer.images.maps.values()]
    shown = [f"{label}, first draw" if draws else label for label, draws in zip(labels, several, strict=True)]
    titles = ["image", "true object", *shown]
    panel = (PAGE_WIDTH - 2 * _MARGIN - (len(titles) - 1) * _GUTTER) / len(titles)
    lefts = [_MARGIN + column * (panel + _GUTTER) for column in range(len(titles))]
    lines = wrap_text(heading, PAGE_WIDTH - 2 * _MARGIN, _HEADING)
    wrapped = [wrap_text(title, panel, _SIZE, "bold") for title in titles]
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4 + max(map(len, wrapped)) * _SIZE * LINE_HEIGHT + 3
    pitch = panel + 2 * _SMALL * LINE_HEIGHT + 6
    with print_style():
        page = Page(PAGE_WIDTH, top + len(places) * pitch + _MARGIN)
        below = write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING) + 4
        for left, title in zip(lefts, wrapped, strict=True):
            write_lines(page.canvas, title, x=left, top=below, size=_SIZE, weight="bold")
        for row, place in enumerate(places):
            axes = [page.axes_at(left, top + row * pitch, panel, panel) for left in lefts]
            captions = _draw_row(axes, answer, place)
            for left, caption in zip(lefts, captions, strict=True):
                under = top + row * pitch + panel + 2
                write_lines(page.canvas, wrap_text(caption, panel, _SMALL)[:2], x=left, top=under, size=_SMALL)
    return page.figure


def _draw_row(axes: Sequence[Axes], answer: SegmentedGroup, place: int) -> list[str]:
    """Draw one image and its maps; return what stands below each panel."""
    image, ground_truth = answer.group.images[place], answer.ground_truth[place : place + 1]
    draw_image(axes[0], np.asarray(image.cpu().numpy(), dtype=np.uint8))
    _draw_pixels(axes[1], _array(ground_truth[0].double()), colours="Greys_r")
    captions = [answer.group.sample_ids[place], f"{float(ground_truth.double().mean()):.0%} of the pixels"]
    for own, maps in zip(axes[2:], answer.images.maps.values(), strict=True):
        first = maps[place : place + 1, :1]
        found = segment(first[:, 0].double(), ground_truth.shape[-1], answer.patch_size)
        _draw_pixels(own, _array(found.scores[0]), colours="viridis")
        _draw_outline(own, _array(ground_truth[0].double()), colour="white", style="dotted")
        _draw_outline(own, _array(found.masks[0].double()), colour=PALETTE[1], style="solid")
        captions.append(_caption(score_maps(first, ground_truth, answer.patch_size)) if ground_truth.any() else _EMPTY)
    return captions


def _caption(scores: MapScores) -> str:
    return f"IoU {float(torch.nanmean(scores.iou)):.2f}, AP {float(scores.average_precision):.2f}"


def _array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.cpu().numpy(), dtype=np.float64)


def _draw_pixels(axes: Axes, values: NDArray[np.float64], *, colours: str) -> None:
    side = len(values)
    axes.imshow(values, cmap=colours, vmin=0, vmax=1, extent=(0, side, side, 0), interpolation="nearest")
    axes.set(xticks=[], yticks=[], xlim=(0, side), ylim=(side, 0))
    axes.spines[:].set(visible=True, linewidth=0.4)


def _draw_outline(axes: Axes, mask: NDArray[np.float64], *, colour: str, style: str) -> None:
    """Draw the border of an object, half way between the centres of its pixels and those outside; if there is one."""
    if not mask.any():
        return
    padded = np.pad(mask, 1)  # so that the outline closes at the border
    centres = np.arange(-1, len(mask) + 1) + 0.5
    axes.contour(centres, centres, padded, levels=[0.5], colors=[colour], linewidths=0.9, linestyles=style)
