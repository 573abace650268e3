from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.crf import exact_mean_field, overlap, photograph_and_mask
from mkbench.concepts import refine_crf, refine_foreground

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "images" / "imagenet-24x5"


def dense_mean_field(image, mask, *, w1=10, alpha=40, beta=13, w2=3, gamma=3, iterations=5):
    """The definition with full N x N kernels and two labels: foreground probabilities (H, W)."""
    place = np.stack(np.mgrid[: mask.shape[0], : mask.shape[1]], axis=-1).reshape(-1, 2).astype(float)
    colour = image.reshape(3, -1).T.astype(float)
    far = ((place[:, None] - place) ** 2).sum(-1)
    unlike = ((colour[:, None] - colour) ** 2).sum(-1)
    kernels = [
        (w1, np.exp(-far / (2 * alpha**2) - unlike / (2 * beta**2))),
        (w2, np.exp(-far / (2 * gamma**2))),
    ]
    kernels = [w * k / np.sqrt(np.outer(k.sum(1), k.sum(1))) for w, k in kernels]
    foreground = np.where(mask.ravel(), 0.99, 0.01)
    unary = np.log(np.stack([1 - foreground, foreground]))
    beliefs = np.exp(unary)
    for _ in range(iterations):
        energy = unary + sum(beliefs @ kernel for kernel in kernels)
        beliefs = np.exp(energy - energy.max(axis=0))
        beliefs /= beliefs.sum(axis=0)
    return beliefs[1].reshape(mask.shape)


def image_of_discs(seed, noise):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24]
    image = np.zeros((3, 24, 24))
    for _ in range(4):
        centre, radius = rng.uniform(0, 24, 2), rng.uniform(3, 12)
        image[:, (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = rng.uniform(0, 255, (3, 1))
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
    return image, np.kron(rng.random((4, 4)) < 0.4, np.ones((6, 6))).astype(bool)


@pytest.mark.parametrize("noise", [3, 20, 60])
def test_agrees_with_the_dense_definition(noise):
    # The lattice approximates the appearance kernel: 99 % of all pixels must agree, and 99.5 % of those whose
    # probability is not within 0.25 of the border. The refinement itself changes 4 to 10 % of the pixels.
    samples = [image_of_discs(seed, noise) for seed in range(6)]
    images = torch.from_numpy(np.stack([image for image, _ in samples]))
    masks = np.stack([mask for _, mask in samples])
    expected = np.stack([dense_mean_field(image, mask) for image, mask in samples])
    refined = refine_crf(images, torch.from_numpy(masks)).numpy()
    differs = refined != (expected > 0.5)
    assert differs.mean() < 0.01
    assert differs[np.abs(expected - 0.5) > 0.25].mean() < 0.005
    assert (refined != masks).mean() > 0.03


@pytest.mark.parametrize("size", [24, 36, 48])
def test_scaled_kernel_agrees_with_the_exact_one(size):
    # A disc on a ground that changes slowly, and the same disc in patches; alpha and gamma scale with the image. The
    # mean counts: of the smallest disc, 180 pixels, three make more than the tolerance.
    y, x = np.mgrid[:size, :size] / size
    disc = (x - 0.55) ** 2 + (y - 0.45) ** 2 < 0.1
    ground = np.stack([100 + 40 * x, 120 + 30 * y, 90 - 30 * x * y])
    mask = np.kron(disc[:: size // 6, :: size // 6], np.ones((size // 6, size // 6))).astype(bool)
    options = {"alpha": 40 * size / 224, "gamma": max(1.0, 3 * size / 224)}
    overlaps = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0, 8, (3, size, size))
        image = np.clip(ground + 50 * disc + noise, 0, 255).astype(np.uint8)
        refined = refine_crf(torch.from_numpy(image)[None], torch.from_numpy(mask)[None], **options)[0]
        exact = torch.from_numpy(dense_mean_field(image, mask, **options) > 0.5)
        overlaps.append(overlap(refined, exact))
        assert overlap(torch.from_numpy(mask), exact) < 0.985  # the refinement does something here
    assert np.mean(overlaps) >= 0.985


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="needs ../shared/data, which may not be shipped")
def test_a_photograph_agrees_with_the_exact_kernel():
    image, mask = photograph_and_mask(sorted(PHOTOGRAPHS.rglob("*.jpg"))[4], 224)  # of 120 the second farthest from it
    exact = exact_mean_field(image, mask) > 0
    assert overlap(refine_crf(image[None], mask[None])[0], exact) >= 0.985


def test_chunked_reference_is_the_dense_definition():
    image, mask = image_of_discs(3, 20)
    odds = exact_mean_field(torch.from_numpy(image), torch.from_numpy(mask))
    np.testing.assert_allclose(torch.sigmoid(odds).numpy(), dense_mean_field(image, mask), atol=1e-4)


def test_other_parameters_reach_the_kernels():
    image, mask = image_of_discs(1, 3)
    options = {"w1": 4.0, "alpha": 3.0, "beta": 40.0, "w2": 1.0, "gamma": 1.0, "iterations": 2}
    refined = refine_crf(torch.from_numpy(image)[None], torch.from_numpy(mask)[None], **options)[0].numpy()
    expected = dense_mean_field(image, mask, **options) > 0.5
    assert (refined != expected).mean() < 0.01


def test_no_iterations_return_the_mask():
    image, mask = image_of_discs(2, 3)
    refined = refine_crf(torch.from_numpy(image)[None], torch.from_numpy(mask)[None], iterations=0)
    assert torch.equal(refined[0], torch.from_numpy(mask))


def test_result_does_not_depend_on_the_batch():
    samples = [image_of_discs(seed, 20) for seed in range(3)]
    images = torch.from_numpy(np.stack([image for image, _ in samples]))
    masks = torch.from_numpy(np.stack([mask for _, mask in samples]))
    together = refine_crf(images, masks)
    alone = [refine_crf(image[None], mask[None]) for image, mask in zip(images, masks, strict=True)]
    assert torch.equal(torch.cat(alone), together)


def test_result_does_not_depend_on_the_number_of_threads():
    y, x = np.mgrid[:96, :96]
    noise = np.random.default_rng(0).normal(0, 30, (3, 96, 96))
    image = torch.from_numpy(np.clip(100 + x + noise, 0, 255).astype(np.uint8))[None]
    mask = torch.from_numpy((x - 50) ** 2 + (y - 40) ** 2 < 900)[None]
    threads = torch.get_num_threads()
    try:
        refined = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            refined.append(refine_crf(image, mask))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(refined[0], other) for other in refined[1:])
    assert not torch.equal(refined[0], mask)


def patches_and_image():
    patches = torch.zeros(1, 4, 4, dtype=torch.bool)
    patches[0, :2, :2] = True
    patches[0, 3, 3] = True  # a stray patch the clean-up removes
    return patches, torch.zeros(1, 3, 10, 10, dtype=torch.uint8)


def test_ladder_of_modes():
    patches, image = patches_and_image()
    image[:, :, :4, :4] = 200
    # 10 pixels over 4 patches, 2 for each: patches 0 and 1 hold pixels 0 to 3, patch 3 holds 6 and 7.
    raw = refine_foreground(image, patches, 10, "none")
    cleaned = refine_foreground(image, patches, 10, "components")
    crf = refine_foreground(image, patches, 10, "crf")
    assert raw.pixels.sum() == 16 + 4
    assert cleaned.pixels.sum() == 16
    assert torch.equal(crf.pixels, cleaned.pixels)
    assert not crf.fell_back.any()


def test_crf_that_removes_everything_falls_back():
    # One bright patch of 36 pixels is outvoted by 540 pixels of exactly its colour.
    patches = torch.zeros(2, 4, 4, dtype=torch.bool)
    patches[0, 0, 0] = True
    image = torch.full((2, 3, 24, 24), 90, dtype=torch.uint8)
    refined = refine_foreground(image, patches, 24, "crf")
    assert not refine_crf(image, refined.pixels).any()
    assert refined.fell_back.tolist() == [True, False]  # the second mask was empty before
    assert refined.pixels.sum() == 36


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, i: refine_foreground(i, p, 10, "grabcut"), "refine must be one of none, components, crf"),
        (lambda p, i: refine_foreground(i, p, 12, "none"), r"masks must be bool \(1, 10, 10\)"),
        (lambda p, i: refine_foreground(i.float(), p, 10, "none"), "images must be uint8"),
        (lambda p, i: refine_crf(i, torch.zeros(1, 10, 10)), "masks must be bool"),
        (lambda p, i: refine_crf(i, i[:, 0] > 0, beta=0), "must be positive"),
    ],
)
def test_wrong_input_is_refused(call, message):
    patches, image = patches_and_image()
    with pytest.raises(ValueError, match=message):
        call(patches, image)
