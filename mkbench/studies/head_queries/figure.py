"""Figure of an answer of attention heads: a gallery of neighbors, or signed maps."""

from matplotlib.figure import Figure

from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import TopicMap
from mkbench.plotting.neighbors import neighbors_figure
from mkbench.plotting.signed_maps import signed_maps_figure
from mkbench.studies.head_queries.answer import Answer


def answer_figure(answer: Answer) -> Figure:
    """Draw an answer; neighbors without images are bars.

    Args:
        answer: what to draw.

    Returns:
        A figure, for ``save_figure``.

    Raises:
        ValueError: its images do not fit.

    Example:
        >>> import torch
        >>> found = Neighbors("colour, image a", ("b",), torch.tensor([1]), torch.tensor([0.5]), "dot")
        >>> answer_figure(Answer("image-neighbors", {}, "", found)).axes[0].texts[0].get_text()
        'Nearest images: colour, image a (dot)'
    """
    found, similarity = answer.found, answer.found.similarity
    if isinstance(found, Neighbors):
        return neighbors_figure(
            f"Nearest images: {found.title} ({similarity})",
            found.ids,
            found.scores.tolist(),
            images=answer.images,
            query=answer.query,
            query_id=found.query_id,
        )
    topic = isinstance(found, TopicMap)
    asked = f"“{found.text}” in {found.heads}" if isinstance(found, TopicMap) else _against(found.texts)
    return signed_maps_figure(
        f"{asked} ({similarity})",
        list(found.maps.items()),
        image=answer.query,
        overlay=topic,
        patch_size=answer.patch_size,
    )


def _against(texts: tuple[str, str]) -> str:
    return f"“{texts[0]}” against “{texts[1]}” in all heads"
