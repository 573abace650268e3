from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mkbench.heads import TextSpan, text_span, textspan

Array = NDArray[np.float64]


def one_head(contributions: Array, texts: Array, num_texts: int, span: Array) -> tuple[list[int], list[float], Array]:
    """The algorithm as written down: one head, orthonormal rows of its span, C and R rewritten in every round."""
    mean = contributions.mean(0)
    rest, left = contributions - mean, texts @ span.T @ span
    if not np.ptp(contributions, axis=0).any():
        rest = np.zeros_like(rest)  # and not what rounding leaves of a constant
    total = (rest**2).sum()
    kept = np.tile(mean, (len(contributions), 1))
    indices: list[int] = []
    shares: list[float] = []
    first = 0.0
    for _ in range(num_texts):
        best, largest = -1, -1.0
        for j, text in enumerate(left):
            if text @ text < 1e-12:
                continue
            spread = (rest @ text).std() ** 2
            first = max(first, spread) if not indices else first
            if spread > largest * (1 + 1e-9) + first * 1e-13:
                best, largest = j, spread
        indices.append(best)
        if best < 0:
            shares.append(0.0)
            continue
        text = left[best].copy()
        along = np.outer(rest @ text, text) / (text @ text)
        kept, rest = kept + along, rest - along
        shares.append(float((along**2).sum() / total) if total else 0.0)
        left = left - np.outer(left @ text, text) / (text @ text)
    return indices, shares, kept


def compare(span: TextSpan, contributions: Tensor, texts: Tensor, spans: list[Array], rtol: float = 1e-9) -> None:
    count = span.indices.shape[-1]
    for group, rows in enumerate(spans):
        indices, shares, kept = one_head(contributions[group].double().numpy(), texts.double().numpy(), count, rows)
        assert span.indices[group].tolist() == indices
        np.testing.assert_allclose(span.explained_variance[group].numpy(), shares, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(span.reconstruction[group].numpy(), kept, rtol=rtol, atol=rtol)


def heads(groups: int, images: int, width: int, rank: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Contributions of low rank that are not centred, and a basis of their span that is not orthonormal."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(groups, rank, width, generator=generator, dtype=torch.float64)
    scale = torch.linspace(2, 0.3, rank, dtype=torch.float64)
    scores = torch.randn(groups, images, rank, generator=generator, dtype=torch.float64) * scale + 1
    return scores @ basis, basis


def unit_texts(count: int, width: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64), dim=1)


def orthonormal(rows: Tensor) -> Array:
    return np.linalg.qr(rows.double().numpy().T)[0].T


@pytest.mark.parametrize("seed", range(3))
def test_span_of_the_weights_is_the_algorithm(seed: int) -> None:
    contributions, basis = heads(5, 40, 16, 6, seed)
    texts = unit_texts(60, 16, seed + 10)
    span = textspan(contributions, texts, num_texts=5, basis=basis)
    compare(span, contributions, texts, [orthonormal(rows) for rows in basis])
    assert (span.indices >= 0).all()


@pytest.mark.parametrize("rank", [3, 8, None])
def test_span_of_the_data_is_the_algorithm(rank: int | None) -> None:
    contributions, _ = heads(4, 40, 12, 12)
    texts = unit_texts(50, 12)
    span = textspan(contributions, texts, num_texts=3, rank=rank)
    rows = [np.linalg.svd(head.numpy(), full_matrices=False)[2][:rank] for head in contributions]
    compare(span, contributions, texts, rows)


def test_single_precision_picks_the_same() -> None:
    contributions, basis = heads(6, 50, 24, 8)
    texts = unit_texts(200, 24)
    span = textspan(contributions.float(), texts.float(), num_texts=8, basis=basis.float())
    assert span.explained_variance.dtype == span.directions.dtype == span.reconstruction.dtype == torch.float32
    compare(span, contributions.float(), texts.float(), [orthonormal(rows) for rows in basis], rtol=2e-4)


def test_one_head_and_many_agree() -> None:
    contributions, basis = heads(3, 30, 10, 4)
    texts = unit_texts(20, 10)
    together = textspan(contributions, texts, num_texts=3, basis=basis)
    for group in range(3):
        alone = textspan(contributions[group], texts, num_texts=3, basis=basis[group])
        assert alone.indices.shape == alone.explained_variance.shape == (3,)
        assert torch.equal(alone.indices, together.indices[group])
        torch.testing.assert_close(alone.reconstruction, together.reconstruction[group])


def test_heads_may_share_a_span() -> None:
    contributions, basis = heads(3, 30, 10, 4)
    texts = unit_texts(20, 10)
    shared = textspan(contributions, texts, num_texts=3, basis=basis[0])
    assert torch.equal(shared.indices[1], textspan(contributions[1], texts, num_texts=3, basis=basis[0]).indices)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    contributions, basis = heads(5, 30, 10, 4)
    texts = unit_texts(20, 10)
    whole = textspan(contributions, texts, num_texts=3, basis=basis)
    monkeypatch.setattr(text_span, "CHUNK_BYTES", 1)
    for name in ("indices", "explained_variance", "directions", "mean"):
        torch.testing.assert_close(
            getattr(textspan(contributions, texts, num_texts=3, basis=basis), name), getattr(whole, name)
        )


def test_shares_by_hand() -> None:
    # Variances 8, 2 and 0 along the axes of the span, mean 1 along the third axis, which no text may count.
    # The slanted text (3, 4, 0) / 5 sees 9/25 * 8 + 16/25 * 2 = 4.16 < 8, so the first axis is picked first. What is
    # left of the slanted text, (0, 4, 0) / 5, sees 16/25 * 2 = 1.28 < 2, so the second axis is picked second.
    head = torch.tensor([[4.0, 0, 1], [-4, 0, 1], [0, 2, 1], [0, -2, 1]])
    texts = torch.tensor([[0.6, 0.8, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    span = textspan(head, texts, num_texts=3, basis=torch.eye(3)[:2])
    assert span.indices.tolist() == [
        2,
        1,
        -1,
    ]  # nothing is left of the first text, and the last has no part in the span
    assert span.explained_variance.tolist() == pytest.approx([0.8, 0.2, 0])
    torch.testing.assert_close(span.directions, torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    torch.testing.assert_close(span.reconstruction, head)


def test_variance_outside_the_span_is_never_explained() -> None:
    generator = torch.Generator().manual_seed(0)
    head = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    span = textspan(head, unit_texts(40, 6), num_texts=3, basis=torch.eye(6, dtype=torch.float64)[:3])
    inside = head[:, :3].var(0, correction=0).sum() / head.var(0, correction=0).sum()
    assert float(span.explained_variance.sum()) == pytest.approx(float(inside))


def test_a_full_set_of_texts_reconstructs_exactly_and_other_images_too() -> None:
    contributions, basis = heads(3, 30, 10, 4)
    others = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64) @ basis
    span = textspan(contributions, unit_texts(20, 10), num_texts=4, basis=basis)
    torch.testing.assert_close(span.reconstruction, contributions)
    torch.testing.assert_close(span.explained_variance.sum(1), torch.ones(3, dtype=torch.float64))
    # The mean of the fit lies in the span as well, so that any contribution of these heads is kept.
    torch.testing.assert_close(span.reconstruct(others), others)
    assert span.reconstruct(others[:, :0]).shape == (3, 0, 10)


def test_fewer_texts_than_wanted() -> None:
    contributions, basis = heads(2, 30, 10, 4)
    texts = unit_texts(2, 10)
    span = textspan(contributions, texts, num_texts=4, basis=basis)
    compare(span, contributions, texts, [orthonormal(rows) for rows in basis])
    assert (span.indices[:, 2:] == -1).all()
    assert (span.indices[:, :2] >= 0).all()
    assert not span.directions[:, 2:].any()


def test_more_texts_than_the_rank() -> None:
    contributions, basis = heads(2, 30, 10, 3)
    texts = unit_texts(20, 10)
    span = textspan(contributions, texts, num_texts=5, basis=basis)
    compare(span, contributions, texts, [orthonormal(rows) for rows in basis])
    assert ((span.indices >= 0).sum(1) == 3).all()


def test_heads_that_do_not_vary() -> None:
    contributions, basis = heads(2, 30, 10, 4)
    contributions[1] = contributions[1, :1]
    texts = unit_texts(20, 10)
    span = textspan(contributions, texts, num_texts=2, basis=basis)
    compare(span, contributions, texts, [orthonormal(rows) for rows in basis])
    assert span.indices[1].tolist() == [0, 1]  # ties, the lowest index first
    assert span.explained_variance[1].tolist() == [0, 0]
    assert torch.isfinite(span.reconstruction).all()


def test_heads_that_add_nothing() -> None:
    span = textspan(torch.zeros(4, 3), torch.eye(3), num_texts=2)
    assert span.indices.tolist() == [-1, -1]  # the data span nothing
    assert not span.reconstruction.any()


def test_texts_beside_the_span_are_never_picked() -> None:
    contributions, basis = heads(1, 30, 10, 4)
    inside = torch.from_numpy(orthonormal(basis[0]))
    texts = unit_texts(6, 10)
    texts[[0, 3]] -= texts[[0, 3]] @ inside.T @ inside
    span = textspan(contributions, texts, num_texts=6, basis=basis)
    assert set(span.indices[0].tolist()) == {1, 2, 4, 5, -1}


@pytest.mark.parametrize("count", [7, 64, 1001])
def test_of_equal_texts_the_first_is_picked(count: int) -> None:
    contributions, basis = heads(3, 30, 10, 4)
    texts = unit_texts(count, 10)
    span = textspan(contributions, texts.repeat(3, 1), num_texts=4, basis=basis)
    assert torch.equal(span.indices, textspan(contributions, texts, num_texts=4, basis=basis).indices)
    assert int(span.indices.max()) < count


def test_dependent_rows_of_a_basis_add_nothing() -> None:
    contributions, basis = heads(2, 30, 10, 4)
    texts = unit_texts(20, 10)
    doubled = torch.cat([basis, basis[:, :3] * 2, torch.zeros(2, 5, 10)], dim=1)
    expected = textspan(contributions, texts, num_texts=4, basis=basis)
    span = textspan(contributions, texts, num_texts=4, basis=doubled)
    assert torch.equal(span.indices, expected.indices)
    torch.testing.assert_close(span.explained_variance, expected.explained_variance)


def test_a_constant_offset_changes_no_pick_within_the_span_of_the_weights() -> None:
    contributions, basis = heads(2, 30, 10, 4)
    texts = unit_texts(20, 10)
    expected = textspan(contributions, texts, num_texts=4, basis=basis)
    moved = textspan(contributions + 3, texts, num_texts=4, basis=basis)
    assert torch.equal(moved.indices, expected.indices)
    torch.testing.assert_close(moved.reconstruction, expected.reconstruction + 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contributions": torch.zeros(3)}, r"contributions \(K, d\) or \(G, K, d\), none of them 0, got \(3,\)"),
        ({"contributions": torch.zeros(2, 0, 3)}, r"got \(2, 0, 3\)"),
        ({"text_embeddings": torch.zeros(4, 2)}, r"text embeddings \(T, 3\) of at least one text, got \(4, 2\)"),
        ({"text_embeddings": torch.zeros(0, 3)}, "at least one text"),
        ({"basis": torch.zeros(3, 1, 3)}, r"basis \(r, 3\) or \(2, r, 3\), got \(3, 1, 3\)"),
        ({"basis": torch.zeros(2, 1, 4)}, r"got \(2, 1, 4\)"),
        ({"basis": torch.zeros(1, 4)}, r"got \(2, 1, 4\)"),
        ({"basis": torch.zeros(3)}, r"got \(3,\)"),
        ({"num_texts": 0}, "at least one text to pick, got num_texts=0"),
        ({"rank": 0}, "rank of at least 1, and none beside a basis, got 0"),
        ({"rank": 2, "basis": torch.ones(2, 1, 3)}, "none beside a basis"),
        ({"contributions": torch.full((2, 5, 3), torch.nan)}, "contributions must be finite"),
        ({"text_embeddings": torch.full((4, 3), torch.inf)}, "text embeddings must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    given = {"contributions": torch.ones(2, 5, 3), "text_embeddings": torch.eye(3), "num_texts": 1, **change}
    with pytest.raises(ValueError, match=message):
        textspan(**given)  # type: ignore[arg-type]
