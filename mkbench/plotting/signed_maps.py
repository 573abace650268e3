"""Signed maps of the patches of an image, on one scale that is white at zero."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from mkbench.plotting.panels import check_images, draw_image, image_pixels
from mkbench.plotting.style import LINE_HEIGHT, Page, print_style, wrap_text, write_lines

_MARGIN, _GUTTER = 6.0, 8.0  # points
_HEADING, _SIZE, _SMALL = 8.5, 6.5, 5.5  # fonts, points
_PANEL = 120.0  # side of a map, points
_BAR_ROOM = 22.0  # below the maps, points
_OPACITY = 0.75  # of the strongest colour over an image


def signed_maps_figure(
    heading: str,
    panels: Sequence[tuple[str, Tensor]],
    *,
    image: Tensor | None = None,
    overlay: bool = False,
    patch_size: int | None = None,
) -> Figure:
    """Draw signed maps of the patches on one common scale, white at zero, beside the image.

    Args:
        heading: of the figure.
        panels: a title and a map (h, w) of each.
        image: (3, S, S) uint8.
        overlay: add the first map laid over the image.
        patch_size: side of a patch, in pixels of the image; None: the largest that fits.

    Raises:
        ValueError: for another image.

    >>> import torch
    >>> figure = signed_maps_figure("Maps", [("a", torch.eye(2)), ("b", -3 * torch.eye(2))])
    >>> [axes.images[0].get_clim() for axes in figure.axes[1:3]]
    [(-3.0, 3.0), (-3.0, 3.0)]
    """
    check_images("the image", image, (3, None, None))
    limit = max(float(values.abs().max()) for _, values in panels) or 1.0
    titles = [*([] if image is None else ["Image"]), *(title for title, _ in panels)]
    laid_over = overlay and image is not None
    titles += [f"{panels[0][0]}, over the image"] if laid_over else []
    wrapped = [wrap_text(title, _PANEL, _SIZE, "bold") for title in titles]
    width = 2 * _MARGIN + len(titles) * (_PANEL + _GUTTER) - _GUTTER
    lines = wrap_text(heading, width - 2 * _MARGIN, _HEADING)
    top = _MARGIN + len(lines) * _HEADING * LINE_HEIGHT + 4 + max(map(len, wrapped)) * _SIZE * LINE_HEIGHT + 3
    with print_style():
        page = Page(width, top + _PANEL + _BAR_ROOM + _MARGIN)
        below = write_lines(page.canvas, lines, x=_MARGIN, top=_MARGIN, size=_HEADING) + 4
        lefts = [_MARGIN + place * (_PANEL + _GUTTER) for place in range(len(titles))]
        for left, title in zip(lefts, wrapped, strict=True):
            write_lines(page.canvas, title, x=left, top=below, size=_SIZE, weight="bold")
        axes = [page.axes_at(left, top, _PANEL, _PANEL) for left in lefts]
        shown = [
            _draw_map(one, values, limit)
            for one, (_, values) in zip(axes[image is not None :], panels, strict=False)  # the overlay is left over
        ]
        if image is not None:
            draw_image(axes[0], image_pixels(image))
        if laid_over and image is not None:
            _draw_overlay(axes[-1], image, panels[0][1], limit, patch_size)
        _draw_colour_bar(page, shown[0], left=lefts[int(image is not None)], top=top + _PANEL + 5)
    return page.figure


def _draw_map(
    axes: Axes, values: Tensor, limit: float, *, size: int | None = None, patch_size: int | None = None
) -> AxesImage:
    """Draw a map on its own, or over an image of some size, where it shows as strongly as it differs from zero."""
    height, width = (side * (patch_size or size // side) if size else side for side in values.shape)
    shown = values.detach().cpu().double().numpy()
    image = axes.imshow(
        shown,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="auto",
        alpha=_OPACITY * np.sqrt(np.abs(shown) / limit) if size else None,
    )
    axes.set(xticks=[], yticks=[], xlim=(0, size or width), ylim=(size or height, 0))
    axes.spines[:].set(visible=True, linewidth=0.4)
    return image


def _draw_overlay(axes: Axes, image: Tensor, values: Tensor, limit: float, patch_size: int | None) -> None:
    grey = image_pixels(image).astype(np.float64).mean(axis=0, keepdims=True)  # floats cannot overflow
    draw_image(axes, np.repeat(grey, 3, axis=0).round().astype(np.uint8))
    _draw_map(axes, values, limit, size=image.shape[-1], patch_size=patch_size)


def _draw_colour_bar(page: Page, shown: AxesImage, *, left: float, top: float) -> None:
    limit = shown.get_clim()[1]
    bar = page.axes_at(left, top, _PANEL, 4)
    page.figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[-limit, 0, limit])
    bar.set_xticklabels([f"\u2212{limit:.2g}", "0", f"{limit:.2g}"])
    bar.tick_params(length=1.5, width=0.4, labelsize=_SMALL, pad=1)
    bar.get_xticklabels()[0].set_horizontalalignment("left")
    bar.get_xticklabels()[2].set_horizontalalignment("right")
