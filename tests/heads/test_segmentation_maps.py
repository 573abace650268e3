from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from tower_kinds import clip, random_images
from toy_contributions import random_toy, toy

from mkbench.backbones import Geometry
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.ground_truth_geometry import fit_ground_truth
from mkbench.datamodules.resizing import resize_image
from mkbench.heads import Decomposer, attention_maps, class_maps, decompose, random_heads, segment
from mkbench.heads.segmentation import class_directions, head_shares, product_maps
from mkbench.metrics.functional import pixel_accuracy, segmentation_average_precision, segmentation_mean_iou


def test_pixels_lie_between_patches() -> None:
    # Two patches 1 and 5 over four pixels: 1, 2, 4, 5 by the centres of the pixels; scaled 0, 1/4, 3/4, 1, mean 1/2.
    scores, masks = segment(torch.tensor([[[1.0, 5.0]]]), 4)
    torch.testing.assert_close(scores[0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))
    assert masks[0].tolist() == [[False, False, True, True]] * 4


def test_every_map_has_a_scale_of_its_own_and_a_flat_one_no_object() -> None:
    maps = torch.stack([torch.eye(2), 100 * torch.eye(2) - 7, torch.full((2, 2), 3.0)])
    scores, masks = segment(maps, 6)
    torch.testing.assert_close(scores[0], scores[1])
    assert torch.equal(masks[0], masks[1])
    assert masks[0].any()
    assert not masks[2].any()
    assert float(scores[2].max()) == 0.0


def test_pixels_that_no_patch_covers_are_background() -> None:
    maps = torch.rand(2, 27, 27, generator=torch.Generator().manual_seed(0))
    scores, masks = segment(maps, 384)
    whole = segment(maps, 378)
    assert torch.equal(scores[:, :378, :378], whole.scores)
    assert torch.equal(masks[:, :378, :378], whole.masks)
    for values in (scores, masks):
        assert not values[:, 378:].any()
        assert not values[:, :, 378:].any()


def test_shapes_of_maps() -> None:
    for maps, size in ((torch.zeros(2, 2), 4), (torch.zeros(1, 0, 2), 4), (torch.zeros(1, 2, 2), 0)):
        with pytest.raises(ValueError, match=r"Expected maps \(B, h, w\) and a size of at least 1"):
            segment(maps, size)


def test_class_maps_are_class_less_mean_of_the_head_sums() -> None:
    backbone = clip().double()
    terms = decompose(backbone, random_images(backbone, 3), tokens=True)
    texts = F.normalize(torch.randn(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1)
    classes = torch.tensor([4, 0, 4])
    products = terms.heads[:, :, 1:].sum(dim=(1, 3)) @ texts.T.to(terms.heads)  # (images, patches, classes)
    expected = torch.stack([products[i, :, c] - products[i].mean(1) for i, c in enumerate(classes.tolist())])
    maps = class_maps(terms, texts, classes, grid=(4, 4))
    torch.testing.assert_close(maps, expected.view(3, 4, 4))
    halves = [[(0, 1), (2, 0)], [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)]]
    parts = [class_maps(terms, texts, classes, grid=(4, 4), heads=heads) for heads in halves]
    torch.testing.assert_close(parts[0] + parts[1], maps)


def test_raw_attention_is_that_of_the_last_layer() -> None:
    attention = torch.rand(2, 3, 4, 7, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    terms = random_toy(2, 3, 7, 4, 5, layers=(1, 4, 2), attention=attention)
    maps = attention_maps(terms, grid=(2, 3))
    torch.testing.assert_close(maps, attention[:, 1, :, 1:].mean(1).view(2, 2, 3))
    with pytest.raises(ValueError, match="at most 7 patches, got 2 x 4"):
        attention_maps(terms, grid=(2, 4))


def test_heads_are_drawn_by_the_seed() -> None:
    terms = random_toy(1, 2, 3, 4, layers=(5, 3))
    draws = [random_heads(terms, 2, seed=seed) for seed in range(20)]
    assert draws[3] == random_heads(terms, 2, seed=3)
    assert {head for draw in draws for head in draw} == {(layer, head) for layer in (3, 5) for head in range(3)}
    assert all(draw == sorted(set(draw)) and len(draw) == 2 for draw in draws)
    for count in (0, 7):
        with pytest.raises(ValueError, match=f"Expected 1 to 6 heads, got {count}"):
            random_heads(terms, count, seed=0)


def test_maps_without_contributions_in_joint_space_are_the_same() -> None:
    backbone = clip().double()
    pixels, classes = random_images(backbone, 3), torch.tensor([1, 0, 4])
    texts = F.normalize(torch.randn(5, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64), dim=1)
    terms, readings = decompose(backbone, pixels, tokens=True), Decomposer(backbone).read_tokens(pixels)
    some = random_heads(readings, 4, seed=2)
    assert some == random_heads(terms, 4, seed=2)
    shares = torch.stack([torch.ones(3, 3), head_shares(some, readings)])
    maps = product_maps(readings.along(class_directions(texts, classes)), shares, grid=(4, 4))
    torch.testing.assert_close(maps[:, 0], class_maps(terms, texts, classes, grid=(4, 4)))
    torch.testing.assert_close(maps[:, 1], class_maps(terms, texts, classes, grid=(4, 4), heads=some))
    torch.testing.assert_close(attention_maps(readings, grid=(4, 4)), attention_maps(terms, grid=(4, 4)))


@pytest.mark.parametrize(
    ("products", "shares", "grid"),
    [((2, 3, 5), (1, 3, 5), (2, 2)), ((2, 3, 5, 4), (1, 3, 5), (2, 2)), ((2, 3, 5, 4), (1, 3, 4), (2, 3))],
)
def test_shapes_of_products(products: tuple[int, ...], shares: tuple[int, ...], grid: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"Expected products \(B, L, T, H\), shares \(R, L, H\) and a grid"):
        product_maps(torch.zeros(products), torch.zeros(shares), grid=grid)


@pytest.mark.parametrize(
    ("texts", "classes", "message"),
    [
        (torch.ones(3, 4), [0], r"class embeddings \(classes, 5\) and the class of 2 images"),
        (torch.ones(3, 5), [0], r"got \(3, 5\) and \(1,\)"),
        (torch.ones(3, 5), [0, 3], r"classes of 0 to 2, got \[0, 3\]"),
        (torch.ones(3, 5), [-1, 0], r"got \[-1, 0\]"),
    ],
)
def test_classes_are_checked(texts: Tensor, classes: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_maps(random_toy(2, 1, 5, 3, 5), texts, torch.tensor(classes), grid=(2, 2))


def written_by_colour(images: Tensor, patch: int) -> Tensor:
    """Contributions of one head that writes how red each patch is, and how far from it."""
    red = F.avg_pool2d(images[:, :1].float() / 255, patch).flatten(1)  # (images, patches)
    red = torch.cat([torch.ones(len(images), 1), red], dim=1)  # the class token comes first
    return torch.stack([red, 1 - red], dim=2)[:, None, :, None]


@pytest.mark.parametrize(
    ("mode", "resize"), [("squash", "squash"), ("squash", "model"), ("shortest", "model"), ("longest", "model")]
)
@pytest.mark.parametrize("shape", [(40, 70), (70, 40)])
def test_image_and_mask_go_one_way(mode: str, resize: str, shape: tuple[int, int]) -> None:
    """A red object in an image that is not square, segmented by its colour.

    The mirror image of the mask is the control.
    """
    object_mask = torch.zeros(shape, dtype=torch.bool)
    object_mask[shape[0] // 8 : 5 * shape[0] // 8, shape[1] // 8 : 5 * shape[1] // 8] = True
    image = torch.stack([object_mask * 255, *torch.zeros(2, *shape)]).to(torch.uint8)
    geometry = Geometry(64, (0.5,) * 3, (0.5,) * 3, "bilinear", mode)  # type: ignore[arg-type]
    ground_truth = ImageGroundTruth(
        part_masks=torch.stack([object_mask, object_mask.flip(0, 1)]), part_names=("red", "mirrored")
    )
    fitted = fit_ground_truth(ground_truth, shape, geometry, resize, sample_id="a").part_masks  # type: ignore[arg-type]
    images = resize_image(image, geometry, resize)[None]  # type: ignore[arg-type]
    assert fitted is not None
    terms = toy(written_by_colour(images, 2))
    scores, masks = segment(class_maps(terms, torch.eye(2), torch.tensor([0]), grid=(32, 32)), 64)
    red, mirrored = fitted[None].unbind(dim=1)
    assert red.any()
    assert segmentation_mean_iou(masks, red) > 0.8
    assert segmentation_mean_iou(masks, mirrored) < 0.5
    assert pixel_accuracy(masks, red) > 0.9
    assert float(segmentation_average_precision(scores, red)) > 0.95
