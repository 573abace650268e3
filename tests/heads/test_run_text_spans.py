from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from mkbench.heads import HeadContributions, mean_ablate, reconstruct_heads, textspan
from mkbench.heads.run_text_spans import rebuild, span_heads
from mkbench.heads.store import ContributionStore, StoredGroup
from mkbench.heads.stored_contributions import write_contributions

LAYERS, SIZES = (1, 2), (3, 5)


def random_terms(images: int, seed: int) -> HeadContributions:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(images, *shape, generator=generator)

    return HeadContributions(draw(2, 3, 6), draw(3, 6), draw(6), draw(6), draw(6), draw(6), draw(2, 3, 0), LAYERS)


@pytest.fixture
def whole() -> HeadContributions:
    return HeadContributions.concatenate([random_terms(size, size) for size in SIZES])


@pytest.fixture
def store(tmp_path: Path) -> ContributionStore:
    """The same images, in two groups."""
    groups = []
    for size in SIZES:
        ids = [f"{size}/{number}" for number in range(size)]
        path = write_contributions(tmp_path, str(size), random_terms(size, size), ids, fingerprint="f")
        groups.append(StoredGroup(path, tuple(ids), 0))
    return ContributionStore(tmp_path, LAYERS, 3, 6, tuple(groups))


TEXTS = F.normalize(torch.randn(10, 6, generator=torch.Generator().manual_seed(1)), dim=-1)


@pytest.mark.parametrize("rank", [None, 4])
def test_span_of_the_data_is_that_of_all_images_at_once(
    store: ContributionStore, whole: HeadContributions, rank: int | None
) -> None:
    found = span_heads(store, TEXTS, num_texts=3, rank=rank)
    expected = textspan(whole.per_head(), TEXTS, num_texts=3, rank=rank)
    assert torch.equal(found.indices, expected.indices)
    for name in ("explained_variance", "directions", "mean"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    assert found.contributions.shape == (6, 0, 6)
    torch.testing.assert_close(found.reconstruct(whole.per_head()), expected.reconstruction)


def test_span_of_the_weights_is_asked_for_by_layer(store: ContributionStore, whole: HeadContributions) -> None:
    bases = {layer: torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(layer)) for layer in LAYERS}
    found = span_heads(store, TEXTS, num_texts=2, bases=bases.__getitem__)
    expected = textspan(whole.per_head(), TEXTS, num_texts=2, basis=torch.cat([bases[layer] for layer in LAYERS]))
    assert torch.equal(found.indices, expected.indices)


def test_embeddings_are_rebuilt_with_the_means_of_all_images(
    store: ContributionStore, whole: HeadContributions
) -> None:
    span = span_heads(store, TEXTS, num_texts=2)
    groups = list(rebuild(store, span))
    assert [len(group.mean_ablated) for group in groups] == list(SIZES)
    ablated = mean_ablate(whole, mlp=[0, 1, 2], rest=True, initial=True)
    torch.testing.assert_close(torch.cat([group.mean_ablated for group in groups]), ablated.total())
    # By hand: every term but the heads and the constant is its mean over the eight images.
    rest = (whole.mlp.sum(1) + whole.initial + whole.rest).mean(0)
    torch.testing.assert_close(ablated.total(), whole.heads.sum((1, 2)) + whole.constant + rest)
    texts = torch.cat([group.reconstructed for group in groups])
    torch.testing.assert_close(texts, reconstruct_heads(ablated, span).total())


def test_texts_that_span_everything_rebuild_the_heads(store: ContributionStore) -> None:
    for group in rebuild(store, span_heads(store, TEXTS, num_texts=6)):
        torch.testing.assert_close(group.reconstructed, group.mean_ablated, rtol=1e-4, atol=1e-5)
