"""Order of the parts, images of a removal sequence and the scores along it."""

import cv2
import numpy as np
import pytest
import torch

from mkbench.metrics.functional import correctness_curve, removal_images, removal_order, score_curve


def image_and_masks() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise 24 x 24, three parts (the last pixels belong to none) and an order."""
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 24, 24), dtype=np.uint8))
    masks = torch.zeros(3, 24, 24, dtype=torch.bool)
    masks[0, :8], masks[1, 8:12], masks[2, 12:20] = True, True, True
    return image, masks, torch.tensor([2, 0, 1])


def test_order_is_the_product_of_both_cosines() -> None:
    # Unit image (1, 0). Parts have cosines 0.6, 1, 0.8; their descriptors 1, 0, 0.6: products 0.6, 0, 0.48.
    parts = torch.tensor([[3.0, 4.0], [2.0, 0.0], [0.8, 0.6]])
    descriptors = torch.tensor([[5.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert removal_order(torch.tensor([7.0, 0.0]), parts, descriptors).tolist() == [0, 2, 1]


def test_equal_parts_keep_their_index_order() -> None:
    same = torch.ones(4, 3)
    assert removal_order(torch.ones(3), same, same).tolist() == [0, 1, 2, 3]
    assert removal_order(torch.ones(3), same[:0], same[:0]).tolist() == []


def test_order_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="as many descriptors as parts"):
        removal_order(torch.ones(3), torch.ones(2, 3), torch.ones(1, 3))
    with pytest.raises(ValueError, match="part embeddings of width 3"):
        removal_order(torch.ones(3), torch.ones(2, 4), torch.ones(2, 4))


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
def test_images_match_opencv_part_by_part(mode: str) -> None:
    image, masks, order = image_and_masks()
    original = image.permute(1, 2, 0).numpy()
    blurred = cv2.GaussianBlur(original, (11, 11), 2.0)
    images = removal_images(image, masks, order, mode=mode)  # type: ignore[arg-type]
    assert images.shape == (4, 3, 24, 24)
    assert images.dtype == torch.uint8
    start, paste = (original, blurred) if mode == "deletion" else (blurred, original)
    expected = start.copy()
    for step in range(4):
        if step:
            pixels = masks[order[step - 1]].numpy()
            expected[pixels] = paste[pixels]
        np.testing.assert_array_equal(images[step].permute(1, 2, 0).numpy(), expected)


def test_background_stays_as_it_starts() -> None:
    image, masks, order = image_and_masks()
    background = ~masks.any(0)
    assert background.any()
    removed = removal_images(image, masks, order)
    restored = removal_images(image, masks, order, mode="insertion")
    assert torch.equal(removed[-1][:, background], image[:, background])
    assert torch.equal(restored[-1][:, background], restored[0][:, background])


def test_no_parts_leave_the_first_image() -> None:
    image, masks, order = image_and_masks()
    assert torch.equal(removal_images(image, masks[:0], order[:0]), image[None])


def test_images_refuse_wrong_input() -> None:
    image, masks, order = image_and_masks()
    with pytest.raises(ValueError, match="mode must be one of deletion, insertion, found 'zero'"):
        removal_images(image, masks, order, mode="zero")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="image must be uint8"):
        removal_images(image.float(), masks, order)
    with pytest.raises(ValueError, match="part_masks must be bool"):
        removal_images(image, masks[:2], order)


def test_score_is_scaled_cosine() -> None:
    # Cosines 1, 0.6 and -1 with (1, 0), whatever the lengths.
    embeddings = torch.tensor([[4.0, 0.0], [3.0, 4.0], [-1.0, 0.0]])
    scores = score_curve(embeddings, torch.tensor([9.0, 0.0]))
    assert scores.dtype == torch.float64
    assert scores.tolist() == pytest.approx([2.5, 1.5, -2.5])
    batched = score_curve(torch.stack([embeddings, embeddings.flip(0)]), torch.tensor([[9.0, 0.0], [9.0, 0.0]]))
    torch.testing.assert_close(batched, torch.stack([scores, scores.flip(0)]), rtol=1e-13, atol=1e-15)
    with pytest.raises(ValueError, match="embeddings of one width, found 2 and 3"):
        score_curve(embeddings, torch.ones(3))


def test_correctness_follows_the_closest_class() -> None:
    classes = torch.tensor([[100.0, 0.0], [0.0, 1.0]])  # lengths must not matter
    embeddings = torch.tensor([[1.0, 0.5], [0.5, 1.0], [1.0, 1.0]])  # class 0, class 1, a tie
    assert correctness_curve(embeddings, classes, 0).tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"target must be a class index in 0\.\.1, found 2"):
        correctness_curve(embeddings, classes, 2)
