"""Heat map of the concept heads of a model: a row for each class, heads grouped by layer."""

from matplotlib.figure import Figure

from mkbench.plotting.heat_map import heat_map_figure
from mkbench.runs.results import explainer_label
from mkbench.studies.concept_heads.study import ClassConceptHeads

_MOST_CLASSES = 40  # rows of a page
_NOTE = (
    "Colour: what a head adds to the images of the class, less the mean over classes, along the class's mutual "
    "concepts, less the mean of the bank. Dot: the head with the highest score."
)


def class_figure(found: ClassConceptHeads) -> Figure:
    """Draw the scores of all heads for each class that has mutual concepts, on one scale, white at zero.

    Names below are the numbers of the heads in their layer, and their labels where there are any. Of more than 40
    classes, those with the highest scores are drawn, in the order of the classes.

    Args:
        found: the concept heads of a model's classes.

    Returns:
        A figure of one page's width, for ``save_figure``.

    Raises:
        ValueError: without a class that has mutual concepts.

    Example:
        >>> import torch
        >>> from mkbench.heads.concept_heads import ConceptHeads
        >>> concept_heads = ConceptHeads(torch.eye(2)[:, None], torch.zeros(2, 1, 2), *torch.ones(3, 2))
        >>> found = ClassConceptHeads("ViT", "pca", ("ant", "bee"), ["wings"], (11,), {(11, 1): "part"}, concept_heads)
        >>> axes = class_figure(found).axes[1]
        >>> [label.get_text() for label in axes.get_xticklabels()], axes.images[0].get_clim()
        (['0', '1 part'], (-1.0, 1.0))
    """
    rows = _choose_rows(found)
    heading = f"Heads that carry the mutual concepts of each class: {found.model}, {explainer_label(found.explainer)}"
    if len(rows) < len(found.known()):
        heading += f" ({len(rows)} of {len(found.known())} classes, those with the highest scores)"
    return heat_map_figure(
        found.concept_heads.scores.flatten(1)[rows].numpy(),  # (rows, heads)
        heading=heading,
        note=_NOTE,
        rows=[found.classes[row] for row in rows],
        columns=_head_names(found),
        groups=[(f"layer {layer}", str(layer)) for layer in found.layers],
    )


def _choose_rows(found: ClassConceptHeads) -> list[int]:
    """The classes to draw, in their order."""
    known = found.known()
    if not known:
        raise ValueError("found must hold a class with mutual concepts, found none")
    best = found.concept_heads.own[known].argsort(descending=True, stable=True)[:_MOST_CLASSES]
    return [known[place] for place in sorted(best.tolist())]


def _head_names(found: ClassConceptHeads) -> list[str]:
    heads = range(found.concept_heads.scores.shape[2])
    return [f"{head} {found.labels.get((layer, head), '')}".strip() for layer in found.layers for head in heads]
