import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from mkbench.concepts import spectral_saliency


def random_features(images, patches, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    # A common offset makes the first singular vector the mean, as it is for real features.
    return 2 + torch.randn(images, patches, width, dtype=torch.float64, generator=generator)


def signed(vector):
    share = (vector > 0).mean()
    return -vector if 0.5 < share < 1 else vector


def second_left(stack):
    stack = stack / np.linalg.norm(stack, axis=1, keepdims=True)
    return signed(np.linalg.svd(stack, full_matrices=False)[0][:, 1])


# More rows than columns and fewer: both Gram matrices. 3 * 7 = 21 rows are odd, so the sign rule always decides.
@pytest.mark.parametrize("width", [4, 40])
def test_class_scope_is_the_second_left_singular_vector(width):
    features = random_features(3, 7, width)
    expected = second_left(features.reshape(21, width).numpy())
    result = spectral_saliency(features)
    np.testing.assert_allclose(result.reshape(-1).numpy(), expected, atol=1e-10)
    assert result.norm() == pytest.approx(1)


@pytest.mark.parametrize("width", [4, 40])
def test_image_scope_decomposes_every_image_alone(width):
    features = random_features(3, 7, width)
    expected = np.stack([second_left(image) for image in features.numpy()])
    np.testing.assert_allclose(spectral_saliency(features, scope="image").numpy(), expected, atol=1e-10)
    alone = spectral_saliency(features[1:2], scope="image")
    torch.testing.assert_close(alone, spectral_saliency(features, scope="image")[1:2], atol=1e-12, rtol=0)


@pytest.mark.parametrize("scope", ["class", "image"])
def test_pca_scores_are_those_of_scikit_learn(scope):
    features = random_features(3, 7, 5)
    groups = features.reshape(1, 21, 5) if scope == "class" else features
    expected = np.stack([signed(PCA(1).fit_transform(rows)[:, 0]) for rows in groups.numpy()])
    result = spectral_saliency(features, scope=scope, method="pca")
    np.testing.assert_allclose(result.numpy().ravel(), expected.ravel(), atol=1e-10)


def test_few_patches_against_many_are_the_foreground():
    # Rows e1 (three times) and e2 (once): singular values sqrt(3) and 1, so the second left vector is the fourth unit
    # vector up to its sign. Its loading is made positive, and one positive entry in four is not negated.
    features = torch.tensor([[[1.0, 0], [1, 0], [1, 0], [0, 1]]])
    assert spectral_saliency(features).tolist() == [[0, 0, 0, 1]]


def test_majority_is_negated():
    # Mean 0.775, component (1, 0): scores -0.775, 0.225, 0.325, 0.225. Three of four positive: negated.
    features = torch.tensor([[[0.0, 0], [1, 0], [1.1, 0], [1, 0]]], dtype=torch.float64)
    result = spectral_saliency(features, method="pca")
    np.testing.assert_allclose(result.numpy(), [[0.775, -0.225, -0.325, -0.225]], atol=1e-12)


def test_all_positive_is_kept():
    # Rows (1, .5) and (-1, .5): first left vector (1, -1), second (1, 1) over sqrt(2), from the direction (0, 1).
    result = spectral_saliency(torch.tensor([[[1.0, 0.5], [-1.0, 0.5]]], dtype=torch.float64))
    np.testing.assert_allclose(result.numpy(), [[0.5**0.5, 0.5**0.5]])


def test_half_and_half_takes_the_sign_of_the_largest_loading():
    # Rows (4, 0) and (0, -2) in pca: component (4, 2) / sqrt(20), its largest loading positive; scores +-sqrt(5).
    features = torch.tensor([[[4.0, 0], [0, -2]]], dtype=torch.float64)
    np.testing.assert_allclose(spectral_saliency(features, method="pca").numpy(), [[5**0.5, -(5**0.5)]])


@pytest.mark.parametrize("method", ["spectral", "pca"])
@pytest.mark.parametrize(
    "features",
    [
        torch.full((2, 3, 4), 0.1),
        torch.zeros(2, 3, 4),
        torch.ones(1, 1, 4),
        torch.ones(2, 3, 1),
    ],
    ids=["rank one", "zero", "one patch", "one column"],
)
def test_no_second_direction_means_no_foreground(features, method):
    assert spectral_saliency(features, method=method).abs().max() == 0


def test_rows_of_one_direction_but_different_length_have_no_foreground():
    lengths = torch.rand(30, generator=torch.Generator().manual_seed(0)) + 0.5
    features = (lengths[:, None] * torch.tensor([0.3, 0.7, 0.1])).reshape(3, 10, 3)
    assert spectral_saliency(features).abs().max() == 0


def test_zero_row_scores_zero():
    features = random_features(1, 9, 4)
    features[0, 3] = 0
    assert spectral_saliency(features)[0, 3] == 0


@pytest.mark.parametrize(
    ("given", "returned"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.bfloat16, torch.float32)],
)
def test_type_of_the_result(given, returned):
    assert spectral_saliency(random_features(1, 5, 3).to(given)).dtype == returned


def test_empty_group():
    assert spectral_saliency(torch.zeros(0, 4, 3)).shape == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3, 4),), "images, patches, width"),
        ((torch.zeros(1, 3, 4, dtype=torch.int64),), "must be floating"),
        ((torch.full((1, 3, 4), float("nan")),), "finite"),
        ((torch.zeros(1, 3, 4), "batch"), "scope must be"),
        ((torch.zeros(1, 3, 4), "class", "svd"), "method must be one of"),
    ],
)
def test_wrong_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        spectral_saliency(*arguments)
