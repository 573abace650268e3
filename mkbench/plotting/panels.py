"""Panels of image figures: an image, its signed saliency, and its numbered parts."""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from mkbench.plotting.style import PALETTE, ink_on

Segments = NDArray[np.float64]
_NUMBER_GAP = 0.095  # least distance of two part numbers as a share of the panel's side


def part_colour(part: int) -> str:
    """Return the colour of a part; beyond eight parts the colours repeat and the numbers tell them apart.

    >>> part_colour(0), part_colour(8)
    ('#0072B2', '#0072B2')
    """
    return PALETTE[part % len(PALETTE)]


def boundary_segments(labels: NDArray[np.int64], covered: tuple[int, int]) -> Segments:
    """Return the grid lines between patches with different labels; outside the grid counts as background.

    Args:
        labels: (h, w), -1 on the background.
        covered: width and height, in pixels, that the patches cover; each patch has a whole number of them.

    Returns:
        (segments, 2, 2): the two ends of each line as (x, y) pixels.

    Example:
        >>> boundary_segments(np.array([[0, -1]]), (20, 20)).shape
        (4, 2, 2)
    """
    padded = np.pad(labels, 1, constant_values=-1)
    row, column = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])  # lines at the left of a patch
    vertical = np.stack([np.stack([column, row], 1), np.stack([column, row + 1], 1)], 1)  # (segments, 2, 2)
    row, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])  # lines above a patch
    horizontal = np.stack([np.stack([column, row], 1), np.stack([column + 1, row], 1)], 1)
    height, width = labels.shape
    segments: Segments = np.concatenate([vertical, horizontal]) * np.array([covered[0] // width, covered[1] // height])
    return segments


def number_places(labels: NDArray[np.int64]) -> dict[int, tuple[tuple[float, float], tuple[float, float]]]:
    """Find a place for the number of each part that is present, far enough from the numbers of the others.

    The smallest part chooses first. A number stands on the patch deepest inside its part; where other numbers are too
    close, on the nearest patch that is free, which may lie outside.

    Args:
        labels: (h, w), -1 on the background.

    Returns:
        For each part the place of its number and the centre of the part's deepest patch, both (x, y) as shares of
        the image's sides.

    Example:
        >>> number_places(np.array([[-1, -1, -1], [-1, 2, -1], [-1, -1, -1]]))
        {2: ((0.5, 0.5), (0.5, 0.5))}
    """
    height, width = labels.shape
    y, x = np.mgrid[:height, :width]
    centres = np.stack([(x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height], axis=1)  # (patches, 2)
    parts, sizes = np.unique(labels[labels >= 0], return_counts=True)
    places: dict[int, tuple[tuple[float, float], tuple[float, float]]] = {}
    taken = np.full((1, 2), 9.0)  # far outside, so that the first number is free to choose
    for part in parts[np.argsort(sizes, kind="stable")]:
        depth = cv2.distanceTransform(np.pad(labels == part, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1].ravel()
        anchor = centres[depth.argmax()]
        distance = np.linalg.norm(centres - anchor, axis=1)
        room = np.linalg.norm(centres[:, None] - taken[None], axis=2).min(axis=1)  # (patches,)
        # Free patches first, then patches of the part, the deepest and the nearest of them; the patch's index last.
        order = np.lexsort((distance, -depth, np.where(depth > 0, 0, distance), room < _NUMBER_GAP))
        place = centres[order[0]]
        taken = np.concatenate([taken, place[None]])
        places[int(part)] = ((float(place[0]), float(place[1])), (float(anchor[0]), float(anchor[1])))
    return places


def check_images(name: str, images: Tensor | None, shape: tuple[int | None, ...]) -> None:
    """Check square uint8 images; None is fine.

    Args:
        name: what the message calls them.
        images: one or several.
        shape: what they must be, None where any size will do.

    Raises:
        ValueError: for another shape or type.

    >>> check_images("the image", None, (3, None, None))
    """
    if images is None:
        return
    fits = images.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, images.shape, strict=True)
    )
    if not fits or images.shape[-1] != images.shape[-2] or str(images.dtype) != "torch.uint8":
        wanted = tuple("S" if size is None else size for size in shape)
        raise ValueError(f"Expected {name} {wanted} uint8, got {tuple(images.shape)} {images.dtype}.")


def image_pixels(image: Tensor) -> NDArray[np.uint8]:
    """Return the pixels of an image on any device, (3, S, S).

    >>> import torch
    >>> image_pixels(torch.zeros(3, 2, 2, dtype=torch.uint8)).shape
    (3, 2, 2)
    """
    return np.asarray(image.detach().cpu().numpy(), dtype=np.uint8)


def draw_image(axes: Axes, image: NDArray[np.uint8]) -> None:
    """Show a (3, S, S) image without ticks.

    >>> from mkbench.plotting.style import Page
    >>> draw_image(Page(80, 80).axes_at(0, 0, 80, 80), np.zeros((3, 8, 8), np.uint8))
    """
    size = image.shape[-1]
    axes.imshow(image.transpose(1, 2, 0), extent=(0, size, size, 0))
    axes.set(xticks=[], yticks=[], xlim=(0, size), ylim=(size, 0))
    axes.spines[:].set_visible(False)


def draw_saliency(
    axes: Axes, saliency: NDArray[np.floating], labels: NDArray[np.int64], *, size: int, covered: tuple[int, int]
) -> AxesImage:
    """Show a signed map, white at zero, with the outline of the foreground.

    Args:
        axes: where to draw.
        saliency: (h, w).
        labels: parts of the patches, (h, w), -1 on the background.
        size: side of the image in pixels.
        covered: width and height, in pixels, that the patches cover.

    Returns:
        The map, for a colour bar.

    Example:
        >>> from mkbench.plotting.style import Page
        >>> axes = Page(80, 80).axes_at(0, 0, 80, 80)
        >>> draw_saliency(axes, np.array([[0.5, -2.0]]), np.array([[0, -1]]), size=8, covered=(8, 8)).get_clim()
        (-2.0, 2.0)
    """
    largest = float(np.abs(saliency).max()) or 1.0
    width, height = covered
    shown = axes.imshow(
        saliency, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=(0, width, height, 0), interpolation="nearest"
    )
    outline = boundary_segments(np.where(labels >= 0, 0, -1), covered)
    axes.add_collection(LineCollection(list(outline), colors="black", linewidths=1.0, capstyle="projecting"))
    axes.set(xticks=[], yticks=[], xlim=(0, size), ylim=(size, 0))
    axes.spines[:].set(visible=True, linewidth=0.4)
    return shown


def draw_parts(axes: Axes, image: NDArray[np.uint8], labels: NDArray[np.int64], *, covered: tuple[int, int]) -> None:
    """Show the parts in their colours, numbered from 1, on a pale grey version of the image.

    Args:
        axes: where to draw.
        image: uint8, (3, S, S).
        labels: (h, w), -1 on the background.
        covered: width and height, in pixels, that the patches cover.

    Example:
        >>> from mkbench.plotting.style import Page
        >>> axes = Page(80, 80).axes_at(0, 0, 80, 80)
        >>> draw_parts(axes, np.zeros((3, 8, 8), np.uint8), np.array([[0, -1], [0, 3]]), covered=(8, 8))
        >>> sorted(text.get_text() for text in axes.texts)
        ['1', '4']
    """
    size = image.shape[-1]
    pale = (90 + image.mean(axis=0, keepdims=True) * 0.6).astype(np.uint8)
    draw_image(axes, np.repeat(pale, 3, axis=0))
    colours = np.zeros((*labels.shape, 4))
    for part in np.unique(labels[labels >= 0]):
        colours[labels == part] = (*to_rgb(part_colour(int(part))), 0.5)
    width, height = covered
    axes.imshow(colours, extent=(0, width, height, 0), interpolation="nearest")
    lines = boundary_segments(labels, covered)
    axes.add_collection(LineCollection(list(lines), colors="white", linewidths=0.7, capstyle="projecting"))
    for part, (place, anchor) in number_places(labels).items():
        if place != anchor:
            axes.plot(*np.multiply([place, anchor], covered).T, color="black", linewidth=0.6)
        draw_number(axes, part, place[0] * width, place[1] * height)
    axes.set(xlim=(0, size), ylim=(size, 0))


def draw_number(axes: Axes, part: int, x: float, y: float) -> None:
    """Write a part's number, counted from 1, in a disc of the part's colour.

    >>> from mkbench.plotting.style import Page
    >>> page = Page(80, 80)
    >>> draw_number(page.canvas, 0, 40, 40)
    >>> page.canvas.texts[0].get_text()
    '1'
    """
    colour = part_colour(part)
    disc = {"boxstyle": "circle,pad=0.22", "facecolor": colour, "edgecolor": "white", "linewidth": 0.6}
    axes.text(x, y, str(part + 1), color=ink_on(colour), bbox=disc, ha="center", va="center", fontsize=5.5)
