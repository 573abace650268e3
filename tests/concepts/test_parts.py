import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from mkbench.concepts import kmeans_parts, part_masks, pca_parts
from mkbench.concepts.parts import _seeded_centres


def random_rows(patches, width, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(patches, width, generator=generator, dtype=dtype) * torch.linspace(3, 1, width, dtype=dtype)


@pytest.mark.parametrize(("patches", "width"), [(60, 8), (12, 30)])
def test_pca_parts_against_scikit_learn(patches, width):
    rows = random_rows(patches, width).numpy()
    pca = PCA(5, svd_solver="full").fit(rows)
    # scikit-learn has changed its sign rule between versions, so ours is applied to its components.
    signs = np.sign(pca.components_[range(5), np.abs(pca.components_).argmax(axis=1)])
    scores = pca.transform(rows) * signs
    scores = (scores - scores.min(axis=0)) / (scores.max(axis=0) - scores.min(axis=0))
    np.testing.assert_array_equal(pca_parts(torch.from_numpy(rows), 5).numpy(), scores.argmax(axis=1))


def test_pca_parts_worked_by_hand():
    # Variances 50 and 2: components (1, 0) and (0, 1). Scaled scores: (1, .5), (0, .5), (.5, 1), (.5, 0).
    rows = torch.tensor([[5.0, 0], [-5, 0], [0, 1], [0, -1]])
    assert pca_parts(rows, 2).tolist() == [0, 1, 1, 0]
    assert pca_parts(rows, 1).tolist() == [0, 0, 0, 0]


def test_pca_parts_without_variance():
    assert pca_parts(torch.full((4, 3), 0.1), 5).tolist() == [0, 0, 0, 0]
    # Two rows have one component with scores 0 and 1; the others are constant and never exceed it.
    assert pca_parts(torch.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 0.5]]), 5).tolist() == [0, 0]


def plain_lloyd(rows, centres):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centres = rows[centres]
    while True:
        labels = ((rows[:, None] - centres) ** 2).sum(-1).argmin(axis=1)
        means = centres.copy()
        for cluster in set(labels.tolist()):
            means[cluster] = rows[labels == cluster].mean(axis=0)
        shift = np.linalg.norm(means - centres, axis=1).sum()
        centres = means
        if shift < 1e-2:
            return labels


@pytest.mark.parametrize("seed", range(4))
def test_kmeans_parts_against_a_plain_lloyd(seed):
    rows = random_rows(150, 6, seed)
    init = np.random.default_rng(seed).choice(150, 5, replace=False)
    np.testing.assert_array_equal(kmeans_parts(rows, 5, init=init.tolist()).numpy(), plain_lloyd(rows.numpy(), init))
    assert torch.equal(kmeans_parts(rows, 5, init=torch.from_numpy(init)), kmeans_parts(rows, 5, init=init.tolist()))


def test_kmeans_parts_finds_what_scikit_learn_finds_on_separate_clusters():
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(5, 16)[torch.arange(200) % 5]
    rows = (directions + 0.05 * torch.randn(200, 16, generator=generator)) * (1 + torch.arange(200)[:, None])
    unit = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    expected = KMeans(5, init=unit[:5], n_init=1).fit(unit).labels_
    np.testing.assert_array_equal(kmeans_parts(rows, 5, init=range(5)).numpy(), expected)
    labels = kmeans_parts(rows, 5, seed=3).numpy()  # the same partition, whatever the order of its clusters
    assert len(set(zip(labels.tolist(), expected.tolist(), strict=True))) == 5


def unit_circle(degrees):
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_kmeans_parts_worked_by_hand():
    # Centres at 0 and 90 degrees split at 45; their means, at about 17 and 90 degrees, split at 53: nothing moves.
    rows = unit_circle([0.0, 1.0, 2.0, 40.0, 44.5, 90.0])
    assert kmeans_parts(rows, 2, init=[0, 5]).tolist() == [0, 0, 0, 0, 0, 1]


def test_labels_are_those_before_the_last_update():
    # Centres at 0 and 0.6 degrees split at 0.3, so the row at 0.299 joins the first. Its mean moves to -0.067 degrees,
    # a shift of 0.001 < 0.01, and that ends it; another assignment would split at 0.27 and give the row to the second.
    rows = unit_circle([0.0, 0.6, 0.299, -0.5])
    assert kmeans_parts(rows, 2, init=[0, 1]).tolist() == [0, 1, 0, 0]


def test_lengths_of_rows_do_not_matter():
    rows = random_rows(50, 4)
    scaled = rows * torch.linspace(0.1, 9, 50, dtype=torch.float64)[:, None]
    assert torch.equal(kmeans_parts(rows, 3, init=[0, 1, 2]), kmeans_parts(scaled, 3, init=[0, 1, 2]))


def test_seed_decides_the_default_centres():
    rows = random_rows(80, 5)
    assert torch.equal(kmeans_parts(rows, 5, seed=7), kmeans_parts(rows, 5, seed=7))
    assert any(not torch.equal(kmeans_parts(rows, 5, seed=7), kmeans_parts(rows, 5, seed=s)) for s in range(5))


def test_default_centres_are_distinct_rows():
    rows = torch.eye(6, dtype=torch.float64)
    for seed in range(10):
        assert len(set(_seeded_centres(rows, 6, seed).tolist())) == 6


def test_kmeans_ties_and_empty_clusters():
    # Equal rows: every centre is the same, the lowest cluster takes all, the others stay empty.
    assert kmeans_parts(torch.ones(6, 3), 4).tolist() == [0] * 6
    # Two rows, five parts: two clusters.
    assert kmeans_parts(torch.eye(2), 5, init=[1, 0]).tolist() == [1, 0]
    # A row of zeros has distance 1 to every unit centre and goes to the lowest.
    assert kmeans_parts(torch.tensor([[1.0, 0], [0, 1], [0, 0]]), 2, init=[0, 1]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("partition", [pca_parts, kmeans_parts])
def test_one_row_and_no_row(partition):
    assert partition(torch.ones(1, 3), 5).tolist() == [0]
    empty = partition(torch.zeros(0, 3), 5)
    assert empty.shape == (0,)
    assert empty.dtype == torch.int64


@pytest.mark.parametrize("partition", [pca_parts, kmeans_parts])
@pytest.mark.parametrize(
    ("features", "parts", "message"),
    [
        (torch.zeros(2, 3, 4), 5, "patches, width"),
        (torch.zeros(3, 4, dtype=torch.int64), 5, "must be floating"),
        (torch.full((3, 4), float("inf")), 5, "finite"),
        (torch.zeros(3, 4), 0, "num_parts must be at least 1"),
    ],
)
def test_wrong_rows_are_refused(partition, features, parts, message):
    with pytest.raises(ValueError, match=message):
        partition(features, parts)


@pytest.mark.parametrize(("init", "message"), [([0], "2 row indices"), ([0, 9], "from 0 to 3"), ([-1, 0], "from 0")])
def test_wrong_init_is_refused(init, message):
    with pytest.raises(ValueError, match=message):
        kmeans_parts(torch.eye(4), 2, init=init)


def test_part_masks_share_out_the_foreground():
    labels = torch.tensor([[[0, -1], [2, 2]], [[-1, -1], [-1, -1]]])
    masks = part_masks(labels, 3, 6)
    assert masks.shape == (2, 3, 6, 6)
    assert masks[0].flatten(1).sum(dim=1).tolist() == [9, 0, 18]
    assert masks[0, 0, :3, :3].all()
    assert not masks[1].any()


@pytest.mark.parametrize("labels", [torch.tensor([[[3]]]), torch.tensor([[[-2]]])])
def test_part_masks_refuse_labels_outside(labels):
    with pytest.raises(ValueError, match=r"must lie in -1\.\.2"):
        part_masks(labels, 3, 4)


def test_part_masks_refuse_other_types():
    with pytest.raises(ValueError, match="labels must be int64"):
        part_masks(torch.zeros(1, 2, 2), 3, 4)
