"""Figure of the similarity of class token and patches over layers."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mkbench.plotting.style import COLUMN_WIDTH, PALETTE, Page, print_style, quiet_axes
from mkbench.studies.class_token.study import KINDS, ClassTokenCurves

_LEFT, _TOP, _HEIGHT, _BOTTOM = 34.0, 18.0, 130.0, 44.0  # points


def class_token_figure(found: ClassTokenCurves) -> Figure:
    """Draw a curve for tokens and one for keys over the layers, with bands of 95 % intervals over images.

    Source: after Figure 1 of the appendix of Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        found: of ``class_token_curves``.

    Returns:
        A figure of one column's width, for ``save_figure``.

    Example:
        >>> from mkbench.runs.results import Estimate
        >>> curve = [Estimate(0.5, (0.4, 0.6)), Estimate(0.25, (0.2, 0.3))]
        >>> figure = class_token_figure(ClassTokenCurves("ViT", "toy", 4, {"tokens": curve, "keys": curve}))
        >>> [line.get_label() for line in figure.axes[1].lines]
        ['tokens', 'keys of the attention']
    """
    with print_style():
        page = Page(COLUMN_WIDTH, _TOP + _HEIGHT + _BOTTOM)
        axes = page.axes_at(_LEFT, _TOP, COLUMN_WIDTH - _LEFT - 8, _HEIGHT)
        for (kind, label), colour in zip(KINDS.items(), PALETTE, strict=False):
            curve = found.curves[kind]
            axes.plot([one.value for one in curve], "-o", color=colour, markersize=2.5, label=label)
            low, high = zip(*(one.interval or (one.value, one.value) for one in curve), strict=True)
            axes.fill_between(range(len(curve)), low, high, color=colour, alpha=0.2, linewidth=0)
        axes.set_title(found.model, pad=5)
        axes.set_xlabel(f"layer, the first is 0; bands: 95 % intervals over {found.images:,} images")
        axes.set_ylabel("mean cosine of class token and patches")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2, borderaxespad=0)
        quiet_axes(axes)
    return page.figure
