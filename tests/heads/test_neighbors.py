from __future__ import annotations

import numpy as np
import pytest
import torch

from mkbench.heads.neighbors import Similarity, nearest_rows


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("similarity", ["dot", "cosine", "centred"])
@pytest.mark.parametrize("centre_query", [True, False])
def test_neighbors_are_those_of_all_comparisons(similarity: Similarity, centre_query: bool, chunk: int) -> None:
    rng = np.random.default_rng(0)
    queries, rows = rng.normal(size=(5, 6)), rng.normal(size=(40, 6)) + 1
    indices, scores = nearest_rows(
        torch.from_numpy(queries),
        torch.from_numpy(rows),
        top=9,
        similarity=similarity,
        centre_query=centre_query,
        chunk=chunk,
    )
    if similarity == "centred":
        queries, rows = queries - centre_query * rows.mean(0), rows - rows.mean(0)
    if similarity != "dot":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    products = queries @ rows.T
    order = np.argsort(-products, axis=1)[:, :9]
    assert indices.tolist() == order.tolist()
    np.testing.assert_allclose(scores.numpy(), np.take_along_axis(products, order, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 3, 8])
def test_equal_rows_come_in_their_order_across_chunks(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(2, 300, generator=generator)
    rows = kinds[[0, 1, 0, 1, 1, 0, 0]]
    indices, scores = nearest_rows(kinds[1], rows, top=7, chunk=chunk)
    assert indices.tolist() == [1, 3, 4, 0, 2, 5, 6]
    assert scores.unique().numel() == 2


def test_a_row_is_left_out_and_few_rows_give_few_neighbors() -> None:
    rows = torch.tensor([[1.0], [2.0], [3.0]])
    assert nearest_rows(torch.ones(1), rows, top=5, skip=2, chunk=2)[0].tolist() == [1, 0]
    indices, scores = nearest_rows(torch.ones(2, 1), rows[:0], top=5)
    assert (tuple(indices.shape), tuple(scores.shape)) == ((2, 0), (2, 0))


def test_zeros_have_a_cosine_of_zero() -> None:
    rows = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 1.0]])
    indices, scores = nearest_rows(torch.tensor([1.0, 0.0]), rows, top=3, similarity="cosine")
    assert indices.tolist() == [2, 0, 1]
    torch.testing.assert_close(scores, torch.tensor([0.5**0.5, 0.0, -1.0]))


@pytest.mark.parametrize(
    ("query", "rows", "named", "message"),
    [
        (torch.ones(2), torch.ones(3, 3), {}, r"queries \(Q, d\) and rows \(n, d\), got \(2,\) and \(3, 3\)"),
        (torch.ones(3), torch.ones(3, 3), {"top": 0}, "at least 1 neighbor"),
        (torch.ones(3), torch.ones(3, 3), {"chunk": 0}, "1 row a chunk, got 2 and 0"),
        (torch.ones(3), torch.ones(3, 3), {"similarity": "l2"}, "Expected a similarity of .* got 'l2'"),
        (torch.full((3,), torch.nan), torch.ones(3, 3), {}, "the query must be finite"),
        (torch.ones(3), torch.full((3, 3), torch.inf), {}, "the rows must be finite"),
    ],
)
def test_what_cannot_be_compared(query: torch.Tensor, rows: torch.Tensor, named: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest_rows(query, rows, **{"top": 2, **named})  # type: ignore[arg-type]
