"""Five analyses of attention heads: nearest images by property, image or text, and topic and contrastive maps.

The contributions of the query are scaled so that its embedding has length 1, those of a ``HeadBank`` are so already,
and texts are brought to length 1.

Source: Madasu, Gandelsman, Lal & Howard, 2024 (arXiv 2409.06579), the analyses of CLIP-InterpreT.
"""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from mkbench.concepts.linalg import unit_rows
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_bank import HeadBank
from mkbench.heads.head_values import Head, patch_contributions, pick_heads, unit_heads
from mkbench.heads.neighbors import Neighbors, Similarity, nearest_rows
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap, patch_maps


def property_neighbors(
    query: HeadContributions,
    bank: HeadBank,
    *,
    property_name: str,
    labels: Mapping[Head, str | None],
    top: int = 8,
    query_id: str | None = None,
    similarity: Similarity = "dot",
) -> Neighbors:
    """Find the images that are most like an image in one property: by the mean of all heads with that label.

    Args:
        query: the contributions of one image.
        bank: the images to search in.
        property_name: the property, as the labels name it.
        labels: property label of each (layer, head). Heads of layers that the bank does not hold are passed over.
        top: how many images.
        query_id: name of the image; it is not found itself.
        similarity: see ``nearest_rows``.

    Raises:
        ValueError: if no head of the bank has the property, or for several images, or other layers or widths.

    >>> import torch
    >>> ones = torch.ones(1, 2)
    >>> terms = HeadContributions(heads=torch.tensor([[[[3.0, 0.0], [0.0, 1.0]]]]), mlp=torch.zeros(1, 1, 2),
    ...     initial=0 * ones, rest=0 * ones, constant=0 * ones, embedding=torch.tensor([[3.0, 0.0]]),
    ...     attention=torch.ones(1, 1, 2, 1), layers=(11,))
    >>> bank = HeadBank(torch.tensor([[[[1.0, 0.0]] * 2], [[[0.0, 1.0]] * 2]]), ids=("a", "b"), layers=(11,))
    >>> found = property_neighbors(terms, bank, property_name="colour", labels={(11, 0): "colour", (11, 1): "shape"})
    >>> found.ids, found.scores
    (('a', 'b'), tensor([1., 0.]))
    """
    heads = [head for head, label in sorted(labels.items()) if label == property_name and head[0] in bank.layers]
    if not heads:
        held = sorted({label for head, label in labels.items() if label is not None and head[0] in bank.layers})
        raise ValueError(f"Expected a property that heads of the bank have, got {property_name!r}; they have {held}.")
    direction = _query_rows(query, heads).mean(dim=0)
    title = f"{property_name}, {len(heads)} heads" if len(heads) > 1 else f"{property_name}, {_name(heads[0])}"
    return _neighbors(title, direction, bank, heads, top, similarity, query_id=query_id)


def image_neighbors(
    query: HeadContributions,
    bank: HeadBank,
    *,
    head: Head,
    top: int = 8,
    query_id: str | None = None,
    similarity: Similarity = "dot",
) -> Neighbors:
    """Find the images for which a head writes what it writes for an image.

    Args:
        query: the contributions of one image.
        bank: the images to search in.
        head: layer and head.
        top: how many images.
        query_id: name of the image; it is not found itself.
        similarity: see ``nearest_rows``.

    Raises:
        ValueError: for a head that is not there, several images or another width.

    >>> import torch
    >>> ones = torch.ones(1, 1)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 1, 1), mlp=ones[None], initial=0 * ones, rest=0 * ones,
    ...     constant=0 * ones, embedding=ones, attention=torch.ones(1, 1, 1, 1), layers=(11,))
    >>> bank = HeadBank(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1), ids=("a", "b", "c"), layers=(11,))
    >>> image_neighbors(terms, bank, head=(11, 0), query_id="c").ids
    ('b', 'a')
    """
    direction = _query_rows(query, [head])[0]
    return _neighbors(_name(head), direction, bank, [head], top, similarity, query_id=query_id)


def text_neighbors(
    text_embedding: Tensor,
    bank: HeadBank,
    *,
    text: str,
    head: Head,
    top: int = 8,
    similarity: Similarity = "dot",
) -> Neighbors:
    """Find the images for which a head writes what a text says.

    Args:
        text_embedding: (d,).
        bank: the images to search in.
        text: the text, for the title.
        head: layer and head.
        top: how many images.
        similarity: see ``nearest_rows``; ``centred`` takes the mean away from the images alone.

    Raises:
        ValueError: for a head that is not there or another width.

    >>> import torch
    >>> bank = HeadBank(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1), ids=("a", "b", "c"), layers=(11,))
    >>> text_neighbors(torch.tensor([5.0]), bank, text="an owl", head=(11, 0), top=2).ids
    ('c', 'b')
    """
    direction = unit_rows(text_embedding)
    return _neighbors(f"“{text}”, {_name(head)}", direction, bank, [head], top, similarity, centre_query=False)


def topic_segmentation(
    query: HeadContributions,
    text_embedding: Tensor,
    *,
    text: str,
    grid: tuple[int, int],
    head: Head | None = None,
    similarity: Similarity = "dot",
) -> TopicMap:
    """Map where in an image a head, or all of them, write what a text says.

    Args:
        query: the contributions of one image by token.
        text_embedding: (d,).
        text: the text, for the title.
        grid: rows and columns of the patches, ``backbone.grid``.
        head: layer and head; None sums over all heads of all layers that the contributions tell apart.
        similarity: see ``patch_maps``.

    Raises:
        ValueError: for contributions without tokens or of several images, a head or a grid that is not there.

    >>> import torch
    >>> ones = torch.ones(1, 1)
    >>> terms = HeadContributions(heads=torch.tensor([9.0, 1.0, -2.0]).view(1, 1, 3, 1, 1), mlp=ones[None],
    ...     initial=0 * ones, rest=0 * ones, constant=0 * ones, embedding=2 * ones,
    ...     attention=torch.ones(1, 1, 1, 3), layers=(11,))
    >>> topic_segmentation(terms, ones[0], text="an owl", grid=(1, 2)).values
    tensor([[ 0.5000, -1.0000]])
    """
    patches = _query_patches(query, grid, head)
    values = patch_maps(patches, unit_rows(text_embedding.to(patches)), grid=grid, similarity=similarity)
    return TopicMap(values, text, "all heads" if head is None else _name(head), similarity)


def contrastive_segmentation(
    query: HeadContributions,
    text_embeddings: Tensor,
    *,
    texts: tuple[str, str],
    grid: tuple[int, int],
    similarity: Similarity = "dot",
) -> ContrastiveMaps:
    """Map where in an image all heads together write one text rather than another.

    Args:
        query: the contributions of one image by token; all heads of all layers they tell apart are summed.
        text_embeddings: (2, d).
        texts: both texts, for the titles.
        grid: rows and columns of the patches, ``backbone.grid``.
        similarity: see ``patch_maps``.

    Raises:
        ValueError: for contributions without tokens or of several images, not two texts, or a grid that does not fit.

    >>> import torch
    >>> ones = torch.ones(1, 2)
    >>> terms = HeadContributions(heads=torch.eye(2).view(1, 1, 2, 1, 2), mlp=torch.zeros(1, 1, 2), initial=0 * ones,
    ...     rest=0 * ones, constant=0 * ones, embedding=torch.tensor([[1.0, 0.0]]),
    ...     attention=torch.ones(1, 1, 1, 2), layers=(11,))
    >>> contrastive_segmentation(terms, torch.eye(2), texts=("an owl", "a tree"), grid=(1, 2)).difference
    tensor([[ 1., -1.]])
    """
    if text_embeddings.ndim != 2 or len(text_embeddings) != 2 or len(texts) != 2:
        raise ValueError(f"Expected two texts (2, d), got {tuple(text_embeddings.shape)} and {len(texts)} names.")
    patches = _query_patches(query, grid, None)
    pair = unit_rows(text_embeddings.to(patches))  # (2, d)
    first, second = patch_maps(patches.expand(2, -1, -1), pair, grid=grid, similarity=similarity)
    return ContrastiveMaps(first, second, texts, similarity)


def _name(head: Head) -> str:
    return f"layer {head[0]} head {head[1]}"


def _require_one(query: HeadContributions) -> None:
    if len(query.embedding) != 1:
        raise ValueError(f"Expected the contributions of one image, got those of {len(query.embedding)}.")


def _query_rows(query: HeadContributions, heads: list[Head]) -> Tensor:
    """What heads add to the unit embedding of one image, (S, d)."""
    _require_one(query)
    values = unit_heads(query)
    summed = values.sum(dim=2) if query.by_token else values  # (1, L, H, d)
    return pick_heads(summed, heads, layers=query.layers)[0]


def _query_patches(query: HeadContributions, grid: tuple[int, int], head: Head | None) -> Tensor:
    """What one head, or all, add to the unit embedding of one image by attending to each patch, (N, d)."""
    _require_one(query)
    values = patch_contributions(replace(query, heads=unit_heads(query)), grid)  # (1, L, N, H, d)
    if head is None:
        return values.sum(dim=(1, 3))[0]
    return pick_heads(values.transpose(1, 2), [head], layers=query.layers)[0, :, 0]


def _neighbors(
    title: str,
    direction: Tensor,
    bank: HeadBank,
    heads: list[Head],
    top: int,
    similarity: Similarity,
    *,
    query_id: str | None = None,
    centre_query: bool = True,
) -> Neighbors:
    rows = bank.rows(heads)  # (images, d)
    indices, scores = nearest_rows(
        direction.to(rows.device),
        rows,
        top=top,
        similarity=similarity,
        centre_query=centre_query,
        skip=bank.find(query_id),
    )
    ids = tuple(bank.ids[place] for place in indices.tolist())
    return Neighbors(title, ids, indices.cpu(), scores.cpu(), similarity, query_id)
