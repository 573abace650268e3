"""TEXTSPAN of all heads of a run, layer by layer, and embeddings rebuilt from its texts."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.heads.ablation import mean_ablate, reconstruct_heads
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.store import ContributionStore
from mkbench.heads.text_span import TextSpan, textspan


def span_heads(
    store: ContributionStore,
    text_embeddings: Tensor,
    *,
    num_texts: int,
    bases: Callable[[int], Tensor] | None = None,
    rank: int | None = None,
) -> TextSpan:
    """Find the texts of every head of a run; no more than one layer is in memory at a time.

    Args:
        store: what the heads add to the K images of the run.
        text_embeddings: (T, d) unit rows in the joint space.
        num_texts: how many texts to pick for each head.
        bases: gives for the number of a layer the (H, k, d) rows that span what its heads can add
            (``Decomposer.basis``). Without it the span is that of the data.
        rank: of the span of the data, see ``textspan``.

    Returns:
        ``TextSpan`` of G = L H heads, layer after layer; its ``contributions`` are left out: (G, 0, d).

    Raises:
        ValueError: as ``textspan``.
        DataError: a file is damaged or gone.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mkbench.heads.store import StoredGroup
        >>> from mkbench.heads.stored_contributions import write_contributions
        >>> heads, none = torch.eye(2)[:, None, None], torch.zeros(2, 2)  # two images, one layer of one head
        >>> terms = HeadContributions(heads, none[:, None], none, none, none, none, torch.zeros(2, 1, 1, 0), (11,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_contributions(Path(folder), "00000-000", terms, ["a", "b"], fingerprint="f")
        ...     store = ContributionStore(Path(folder), (11,), 1, 2, (StoredGroup(path, ("a", "b"), 0),))
        ...     span = span_heads(store, torch.eye(2), num_texts=2)
        ...     (rebuilt,) = rebuild(store, span)
        >>> span.indices, torch.allclose(rebuilt.reconstructed, heads[:, 0, 0])
        (tensor([[0, 1]]), True)
    """
    spans = [
        textspan(
            store.layer(layer),
            text_embeddings,
            num_texts=num_texts,
            basis=None if bases is None else bases(layer),
            rank=rank,
        )
        for layer in store.layers
    ]
    mean = torch.cat([span.mean for span in spans])
    return TextSpan(
        indices=torch.cat([span.indices for span in spans]),
        explained_variance=torch.cat([span.explained_variance for span in spans]),
        directions=torch.cat([span.directions for span in spans]),
        mean=mean,
        contributions=mean.new_zeros(len(mean), 0, mean.shape[1]),
    )


class Rebuilt(NamedTuple):
    """Embeddings of the B images of a class group, put together again from parts of them.

    Attributes:
        mean_ablated: (B, d), everything but the heads replaced by its mean over the images of the run.
        reconstructed: (B, d), and the heads by what their texts keep of them.
    """

    mean_ablated: Tensor
    reconstructed: Tensor


def rebuild(store: ContributionStore, span: TextSpan) -> Iterator[Rebuilt]:
    """Rebuild the embeddings of a run from its heads alone, and from what texts keep of these: a check of completeness.

    Both keep ``constant``, which an image changes by its scale alone.

    Args:
        store: the contributions.
        span: of all heads, see ``span_heads``.

    Yields:
        The embeddings of a class group, in the order of ``store.groups``.

    Raises:
        DataError: a file is damaged or gone.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), sections 3 and 4.
    """
    means = store.mean()
    for terms in store:
        ablated = _keep_heads(terms, means)
        yield Rebuilt(ablated.total(), reconstruct_heads(ablated, span).total())


def _keep_heads(terms: HeadContributions, means: HeadContributions) -> HeadContributions:
    return mean_ablate(terms, mlp=range(terms.mlp.shape[1]), rest=True, initial=True, means=means)
