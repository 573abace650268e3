from functools import partial

import numpy as np
import pytest
import torch

from mkbench.concepts import (
    assign_descriptors,
    assign_descriptors_batch,
    descriptors,
    language_concepts,
    linalg,
    merge_descriptors,
)
from mkbench.concepts.descriptors import assign_to_embeddings
from mkbench.concepts.linalg import bank_cosines


def plain_assignment(logits, relevance, *, pool, transport, topk=3, margin=0.02):
    """Step 8 for one image, with sets and a thousand plain Sinkhorn rounds."""
    ranked = [sorted(range(len(row)), key=lambda i, row=row: (-row[i], i)) for row in logits]
    if not transport:
        return [row[:topk] for row in ranked]
    shared = set.intersection(*[set(row[:pool]) for row in ranked])
    mean = np.mean([relevance[i] for i in sorted(shared)]) if shared else 0
    candidates = sorted(i for i in shared if relevance[i] > mean - margin)
    if not candidates:
        candidates = sorted(set().union(*[row[:topk] for row in ranked]))
    scores = logits[:, candidates]
    if len(logits) > 1:
        scores = np.exp(2.5 * scores)
        for _ in range(1000):
            scores = scores / scores.sum(axis=1, keepdims=True)
            scores = scores / scores.sum(axis=0, keepdims=True)
    return [[candidates[i] for i in np.argsort(-row, kind="stable")[:topk]] for row in scores]


def random_logits(images, parts, bank, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(images, 1, bank, generator=generator, dtype=torch.float64) * 0.03
    parts_logits = 0.2 + base + 0.02 * torch.randn(images, parts, bank, generator=generator, dtype=torch.float64)
    return parts_logits, 0.2 + 0.05 * torch.randn(images, bank, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("transport", [True, False])
@pytest.mark.parametrize(("parts", "pool"), [(5, 40), (3, 500), (1, 20), (5, 6)])
def test_against_a_plain_reading_of_the_rules(parts, pool, transport):
    logits, relevance = random_logits(8, parts, 120)
    for image in range(8):
        ids = assign_descriptors(logits[image], relevance[image], pool=pool, transport=transport)
        expected = plain_assignment(logits[image].numpy(), relevance[image].numpy(), pool=pool, transport=transport)
        assert [part.tolist() for part in ids] == expected


def test_margin_drops_irrelevant_candidates():
    # Mean relevance 0.2; with margin 0.02 only what lies above 0.18 stays, although descriptor 0 has the best logits.
    logits = torch.tensor([[0.9, 0.5, 0.4], [0.9, 0.4, 0.5]])
    relevance = torch.tensor([0.1, 0.25, 0.25])
    assert [ids.tolist() for ids in assign_descriptors(logits, relevance, topk=1)] == [[1], [2]]
    # One part alone is ranked by its logits.
    assert [assign_descriptors(logits[:1], relevance, topk=1, margin=m)[0].tolist() for m in (0.02, 0.2)] == [[1], [0]]


def test_without_transport_neither_pool_nor_relevance_counts():
    logits, relevance = random_logits(3, 4, 50)
    present = torch.tensor([[True] * 4, [True, False, True, False], [False] * 4])
    plain = assign_descriptors_batch(logits, relevance, present, pool=3, margin=-1, transport=False)
    expected = np.argsort(-logits.numpy(), axis=2, kind="stable")[..., :3]
    assert plain.ids.tolist() == np.where(present.numpy()[..., None], expected, -1).tolist()
    assert not (plain.empty_candidates | plain.few_candidates | plain.single_part).any()
    few = assign_descriptors_batch(logits[..., :2], relevance[:, :2], present, transport=False)
    assert few.few_candidates.tolist() == [True, True, False]
    assert (few.ids[..., 2] == -1).all()


def test_transport_shares_out_what_plain_ranking_repeats():
    logits = torch.tensor([[0.9, 0.8, 0.1], [0.8, 0.1, 0.1]])
    plain = assign_descriptors(logits, torch.zeros(3), topk=1, transport=False)
    shared = assign_descriptors(logits, torch.zeros(3), topk=1)
    assert [ids.tolist() for ids in plain] == [[0], [0]]
    assert [ids.tolist() for ids in shared] == [[1], [2]]


def test_ties_go_to_the_lowest_id():
    flat = torch.zeros(2, 6)
    for transport in (True, False):
        ids = assign_descriptors(flat, torch.zeros(6), topk=2, pool=4, transport=transport)
        assert [part.tolist() for part in ids] == [[0, 1], [0, 1]]
    # The pool's border cuts through equal values: descriptor 0 is in, of the equal 1 to 3 only 1.
    ids = assign_descriptors(torch.tensor([[0.9, 0.5, 0.5, 0.5]]), torch.zeros(4), topk=4, pool=2)
    assert ids[0].tolist() == [0, 1]


def test_empty_intersection_takes_the_union_of_the_top_k():
    # Pools {0, 1} and {2, 3} are disjoint; the union of the top two is all four, whatever their relevance.
    logits = torch.tensor([[[0.9, 0.7, 0.0, 0.1], [0.0, 0.1, 0.9, 0.7]]])
    relevance = torch.tensor([[-1.0, 1.0, 1.0, 1.0]])
    assigned = assign_descriptors_batch(logits, relevance, torch.ones(1, 2, dtype=torch.bool), topk=2, pool=2)
    assert assigned.ids.tolist() == [[[0, 1], [2, 3]]]
    assert assigned.empty_candidates.tolist() == [True]
    assert assigned.few_candidates.tolist() == [False]


def test_margin_that_leaves_nothing_counts_as_empty():
    present = torch.ones(1, 2, dtype=torch.bool)
    assigned = assign_descriptors_batch(torch.eye(2)[None], torch.zeros(1, 2), present, topk=1, margin=0.0)
    assert assigned.empty_candidates.tolist() == [True]
    assert assigned.ids.tolist() == [[[0], [1]]]


def test_few_candidates_give_fewer_descriptors():
    # Only descriptors 1 and 2 are in both pools of three.
    logits = torch.tensor([[[0.9, 0.8, 0.7, 0.0], [0.0, 0.8, 0.7, 0.9]]])
    assigned = assign_descriptors_batch(logits, torch.zeros(1, 4), torch.ones(1, 2, dtype=torch.bool), topk=3, pool=3)
    assert assigned.few_candidates.tolist() == [True]
    assert (assigned.ids[..., 2] == -1).all()
    assert assigned.ids[..., :2].sort(dim=-1).values.tolist() == [[[1, 2], [1, 2]]]
    assert [len(ids) for ids in assign_descriptors(logits[0], torch.zeros(4), pool=3)] == [2, 2]


def test_batch_with_absent_parts_equals_single_images():
    logits, relevance = random_logits(6, 5, 90)
    counts = [5, 2, 0, 1, 3, 5]
    present = torch.arange(5) < torch.tensor(counts)[:, None]
    assigned = assign_descriptors_batch(logits, relevance, present, pool=30)
    assert assigned.single_part.tolist() == [False, False, False, True, False, False]
    assert (assigned.ids[~present] == -1).all()
    for image, count in enumerate(counts):
        alone = assign_descriptors(logits[image, :count], relevance[image], pool=30) if count else []
        found = [ids[ids >= 0].tolist() for ids in assigned.ids[image, :count]]
        assert found == [ids.tolist() for ids in alone]


def test_single_part_rule_belongs_to_transport():
    present = torch.tensor([[True, False]])
    assigned = assign_descriptors_batch(torch.eye(2)[None], torch.zeros(1, 2), present, transport=False)
    assert assigned.single_part.tolist() == [False]


def test_sizes_at_the_edge():
    nothing = assign_descriptors_batch(torch.zeros(0, 5, 7), torch.zeros(0, 7), torch.zeros(0, 5, dtype=torch.bool))
    assert nothing.ids.shape == (0, 5, 3)
    absent = assign_descriptors_batch(torch.zeros(2, 5, 7), torch.zeros(2, 7), torch.zeros(2, 5, dtype=torch.bool))
    assert (absent.ids == -1).all()
    assert not absent.empty_candidates.any()
    assert not absent.few_candidates.any()
    assert assign_descriptors(torch.zeros(0, 7), torch.zeros(7)) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"part_logits": torch.zeros(2, 4)}, "part_logits must be"),
        ({"image_logits": torch.zeros(1, 5)}, r"image_logits must be \(1, 4\)"),
        ({"present": torch.ones(1, 2)}, "present must be bool"),
        ({"part_logits": torch.full((1, 2, 4), float("nan"))}, "part_logits must be finite"),
        ({"image_logits": torch.full((1, 4), float("nan"))}, "image_logits must be finite"),
    ],
)
def test_wrong_tensors_are_refused(changed, message):
    given = {
        "part_logits": torch.zeros(1, 2, 4),
        "image_logits": torch.zeros(1, 4),
        "present": torch.ones(1, 2, dtype=torch.bool),
    } | changed
    with pytest.raises(ValueError, match=message):
        assign_descriptors_batch(**given)


def test_wrong_numbers_and_single_shapes_are_refused():
    with pytest.raises(ValueError, match="topk and pool must be at least 1"):
        assign_descriptors(torch.zeros(2, 4), torch.zeros(4), topk=0)
    with pytest.raises(ValueError, match=r"part_logits must be \(parts, bank\)"):
        assign_descriptors(torch.zeros(1, 2, 4), torch.zeros(4))


def test_merge_drops_repeats_and_sorts_by_importance():
    ids = torch.tensor([[[4, 1], [1, 2], [-1, -1]], [[3, 0], [2, 1], [0, 3]], [[-1, -1]] * 3])
    relevance = torch.tensor([[0.0, 0.2, 0.4, 0.0, 0.3], [0.1, 0.1, 0.5, 0.1, 0.0], [0.0] * 5])
    merged = merge_descriptors(ids, relevance.double())
    # Second image: 2 leads, then 3, 0 and 1 are equal and keep the order of their first appearance.
    assert merged.ids.tolist() == [[2, 4, 1, -1, -1, -1], [2, 3, 0, 1, -1, -1], [-1] * 6]
    np.testing.assert_allclose(merged.importance[0], [1.0, 0.75, 0.5, 0, 0, 0], atol=1e-7)
    assert merged.importance.dtype == torch.float64
    assert merged.counts.tolist() == [3, 4, 0]


def test_merge_keeps_negative_importance_before_padding():
    merged = merge_descriptors(torch.tensor([[[0, -1, 1]]]), torch.tensor([[-0.2, -0.1]], dtype=torch.float64))
    assert merged.ids.tolist() == [[1, 0, -1]]
    np.testing.assert_allclose(merged.importance.numpy(), [[-0.25, -0.5, 0]])


def test_merge_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="ids must be"):
        merge_descriptors(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"must lie in -1\.\.3"):
        merge_descriptors(torch.full((1, 1, 1), 4), torch.zeros(1, 4))


def test_language_concepts_rank_by_cosine():
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(7, 6, generator=generator)
    bank = torch.randn(40, 6, generator=generator) * torch.linspace(0.1, 5, 40)[:, None]
    unit = bank.numpy() / np.linalg.norm(bank.numpy(), axis=1, keepdims=True)
    expected = np.argsort(-(classes.numpy() @ unit.T), axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(language_concepts(classes, bank, 10).numpy(), expected)


def test_language_concepts_ties_and_small_banks():
    bank = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])
    assert language_concepts(torch.tensor([[1.0, 0.0]]), bank, 50).tolist() == [[1, 2, 0]]


def test_language_concepts_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"found \(2, 3\) and \(5, 4\)"):
        language_concepts(torch.zeros(2, 3), torch.zeros(5, 4), 2)
    with pytest.raises(ValueError, match="num_concepts must be at least 1"):
        language_concepts(torch.zeros(2, 3), torch.zeros(5, 3), 0)


@pytest.mark.parametrize("transport", [True, False])
def test_large_bank_gives_by_chunks_what_it_gives_as_a_whole(transport, monkeypatch):
    # Of few digits, so that products are exact: descriptors 0 and 40, in two chunks, are tied.
    generator = torch.Generator().manual_seed(0)
    bank = torch.randint(-2000, 2000, (60, 8), generator=generator) / 4096
    bank[0] = bank[40] = 0.5
    parts = torch.randint(-2000, 2000, (5, 3, 8), generator=generator) / 4096
    parts[0, 0] = 1
    relevance, present = torch.zeros(5, 60), torch.rand(5, 3, generator=generator) < 0.8
    present[0] = True
    assign = partial(assign_descriptors_batch, pool=40, transport=transport)
    whole = assign_to_embeddings(parts, bank, relevance, present, assign=assign)
    logits = parts.double() @ bank.double().T
    assert [w.tolist() for w in whole] == [
        found.tolist() for found in assign_descriptors_batch(logits, relevance, present, pool=40, transport=transport)
    ]
    asked = []
    monkeypatch.setattr(linalg, "_BANK_VALUES", 7 * 8)
    monkeypatch.setattr(descriptors, "_COSINES_AT_ONCE", 2 * 3 * 60)  # two images
    monkeypatch.setattr(descriptors, "bank_cosines", lambda *given: asked.append(len(given[0])) or bank_cosines(*given))
    chunked = assign_to_embeddings(parts, bank, relevance, present, assign=assign)
    assert asked == [2, 2, 1]
    assert [c.tolist() for c in chunked] == [w.tolist() for w in whole]
    assert transport or chunked.ids[0, 0, :2].tolist() == [0, 40]  # the lower one comes first


def test_many_classes_have_by_chunks_the_concepts_they_have_as_a_whole(monkeypatch):
    bank = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    classes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    whole = language_concepts(classes, bank, 2)
    assert whole.tolist() == [[0, 2], [1, 0], [0, 2]]
    monkeypatch.setattr(descriptors, "_COSINES_AT_ONCE", 3)
    assert language_concepts(classes, bank, 2).tolist() == whole.tolist()


@pytest.mark.parametrize("count", [1, 4, 100])
def test_language_concepts_of_a_bank_in_pieces_are_those_of_one_product(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    generator = torch.Generator().manual_seed(5)
    # Cosines of exactly 0.5 and -0.5 whatever the size of a product, and so ties between pieces.
    bank = torch.eye(4)[torch.randint(4, (23,), generator=generator)] * (torch.rand(23, 1, generator=generator) - 0.5)
    classes = torch.randint(0, 2, (9, 4), generator=generator) * 2.0 - 1
    whole = language_concepts(classes, bank, count)
    monkeypatch.setattr(linalg, "_BANK_VALUES", 5 * 4)
    monkeypatch.setattr(descriptors, "_COSINES_AT_ONCE", 20)
    assert torch.equal(language_concepts(classes, bank, count), whole)
