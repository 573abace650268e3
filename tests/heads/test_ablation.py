from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from tower_kinds import clip, random_images

from mkbench.heads import (
    Decomposer,
    HeadContributions,
    decompose,
    mean_ablate,
    reconstruct_heads,
    replace_heads,
    textspan,
)


@pytest.fixture(scope="module")
def terms() -> HeadContributions:
    """Layers 1 and 2 of three, by token; in memory once, as no test edits in place."""
    backbone = clip().double()
    return decompose(backbone, random_images(backbone, 6), layers=[1, 2], tokens=True)


def summed(terms: HeadContributions) -> HeadContributions:
    return terms.map(lambda values: values) if not terms.by_token else replace_heads(terms, terms.per_head())


def offset(values: Tensor) -> Tensor:
    """How far each image's term is from the mean term."""
    return values - values.mean(0)


def test_ablated_heads_and_mlps_tell_no_image_from_another(terms: HeadContributions) -> None:
    edited = mean_ablate(terms, heads=[(1, 0), (2, 2)], mlp=[0])
    gone = offset(terms.heads[:, 0, :, 0].sum(1)) + offset(terms.heads[:, 1, :, 2].sum(1)) + offset(terms.mlp[:, 0])
    torch.testing.assert_close(edited.total(), terms.embedding - gone)
    torch.testing.assert_close(edited.total().mean(0), terms.embedding.mean(0))
    torch.testing.assert_close(edited.embedding, terms.embedding, rtol=0, atol=0)


def test_ablation_is_the_same_with_and_without_tokens(terms: HeadContributions) -> None:
    pairs = [(2, 0), (2, 1)]
    by_token, by_head = mean_ablate(terms, heads=pairs), mean_ablate(summed(terms), heads=pairs)
    assert by_token.by_token
    assert not by_head.by_token
    torch.testing.assert_close(by_token.total(), by_head.total())


def test_only_the_class_token_is_ablated(terms: HeadContributions) -> None:
    pairs = [(layer, head) for layer in terms.layers for head in range(3)]
    edited = mean_ablate(terms, heads=pairs, tokens=[0])
    torch.testing.assert_close(edited.total(), terms.embedding - offset(terms.heads[:, :, 0].sum((1, 2))))
    torch.testing.assert_close(edited.heads[:, :, 1:], terms.heads[:, :, 1:], rtol=0, atol=0)


def test_everything_ablated_leaves_the_scale_alone(terms: HeadContributions) -> None:
    pairs = [(layer, head) for layer in terms.layers for head in range(3)]
    edited = mean_ablate(terms, heads=pairs, mlp=range(3), rest=True, initial=True)
    torch.testing.assert_close(offset(edited.total()), offset(terms.constant))


def test_nothing_ablated_is_the_embedding(terms: HeadContributions) -> None:
    torch.testing.assert_close(mean_ablate(terms).total(), terms.embedding)


def test_batches_may_share_a_mean(terms: HeadContributions) -> None:
    pairs, means = [(1, 1), (2, 0)], terms.mean()
    whole = mean_ablate(terms, heads=pairs, mlp=[2], rest=True, initial=True).total()
    batches = [terms.map(lambda values, part=part: values[part]) for part in (slice(0, 4), slice(4, 6))]
    parts = [mean_ablate(b, heads=pairs, mlp=[2], rest=True, initial=True, means=means).total() for b in batches]
    torch.testing.assert_close(torch.cat(parts), whole)
    zeros = mean_ablate(terms, heads=pairs, means=means.map(torch.zeros_like)).total()
    gone = terms.heads[:, 0, :, 1].sum(1) + terms.heads[:, 1, :, 0].sum(1)
    torch.testing.assert_close(zeros, terms.embedding - gone)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"heads": [(0, 0)]}, r"heads of the layers \[1, 2\], 0 to 2, got \(0, 0\)"),
        ({"heads": [(1, 3)]}, r"got \(1, 3\)"),
        ({"heads": [(1, -1)]}, r"got \(1, -1\)"),
        ({"mlp": [3]}, r"MLPs of 0 to 2, got \[3\]"),
        ({"tokens": [17]}, r"tokens of 0 to 16, got \[17\]"),
    ],
)
def test_terms_that_are_not_there(terms: HeadContributions, given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_ablate(terms, **given)  # type: ignore[arg-type]


def test_tokens_need_contributions_by_token(terms: HeadContributions) -> None:
    with pytest.raises(ValueError, match="decompose with tokens=True"):
        mean_ablate(summed(terms), heads=[(1, 0)], tokens=[0])


def test_heads_by_their_texts(terms: HeadContributions) -> None:
    texts = F.normalize(torch.randn(40, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1)
    basis = Decomposer(clip().double()).basis
    rows = torch.cat([basis(layer) for layer in terms.layers])
    full = textspan(terms.per_head(), texts, num_texts=8, basis=rows)
    torch.testing.assert_close(reconstruct_heads(terms, full).total(), terms.embedding)
    distances = []
    for count in (1, 3, 6):
        span = textspan(terms.per_head(), texts, num_texts=count, basis=rows)
        edited = reconstruct_heads(terms, span)
        expected = terms.embedding - terms.per_head().sum(0) + span.reconstruction.sum(0)
        torch.testing.assert_close(edited.total(), expected)
        lost = (terms.per_head() - span.reconstruction).square().sum((1, 2))
        total = (terms.per_head() - terms.per_head().mean(1, keepdim=True)).square().sum((1, 2))
        torch.testing.assert_close(1 - lost / total, span.explained_variance.sum(1))
        distances.append(float(lost.sum()))
    assert distances[0] > distances[1] > distances[2]


def test_replacements_of_another_shape(terms: HeadContributions) -> None:
    with pytest.raises(ValueError, match=r"Expected \(6, 6, 12\), got \(5, 6, 12\)"):
        replace_heads(terms, terms.per_head()[:5])
    texts = torch.eye(12, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"span of 6 heads, got one of \(2,\) texts"):
        reconstruct_heads(terms, textspan(terms.per_head()[0], texts, num_texts=2))


def test_batches_are_joined(terms: HeadContributions) -> None:
    backbone = clip().double()
    parts = [decompose(backbone, part, layers=[1, 2], tokens=True) for part in random_images(backbone, 6).split(4)]
    joined = HeadContributions.concatenate(parts)
    for name in ("heads", "mlp", "initial", "rest", "constant", "embedding", "attention"):
        torch.testing.assert_close(getattr(joined, name), getattr(terms, name))
    assert joined.layers == (1, 2)
    with pytest.raises(ValueError, match="same layers, all by token or none"):
        HeadContributions.concatenate([parts[0], summed(parts[1])])
    with pytest.raises(ValueError, match="same layers"):
        HeadContributions.concatenate([])
