from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap, patch_maps

# Three patches and one text of length 5. Products: 3*1 + 4*0 = 3, 3*0 + 4*2 = 8, 3*3 + 4*4 = 25, mean 12.
PATCHES = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
TEXT = torch.tensor([3.0, 4.0])


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [("dot", [3.0, 8.0, 25.0]), ("cosine", [0.6, 0.8, 1.0]), ("centred", [-9.0, -4.0, 13.0])],
)
def test_values_by_hand(similarity: str, expected: list[float]) -> None:
    values = patch_maps(PATCHES, TEXT, grid=(1, 3), similarity=similarity)  # type: ignore[arg-type]
    torch.testing.assert_close(values, torch.tensor([expected]))


def test_patches_are_in_raster_order_and_texts_broadcast() -> None:
    patches = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    texts = F.normalize(torch.ones(4, 5), dim=1)
    values = patch_maps(patches, texts, grid=(2, 3))
    assert values.shape == (4, 2, 3)
    torch.testing.assert_close(values[3, 1, 0], patches[3, 3] @ texts[3])


def test_grids_and_names_are_checked() -> None:
    with pytest.raises(ValueError, match="Expected 2 x 2 patches, got 3"):
        patch_maps(PATCHES, TEXT, grid=(2, 2))
    with pytest.raises(ValueError, match="got 'angle'"):
        patch_maps(PATCHES, TEXT, grid=(1, 3), similarity="angle")  # type: ignore[arg-type]


def test_maps_are_named_by_what_they_show() -> None:
    topic = TopicMap(torch.tensor([[2.0, -1.0]]), "an owl", "layer 3 head 1", "dot")
    assert {title: values.tolist() for title, values in topic.maps.items()} == {"an owl": [[2.0, -1.0]]}
    maps = ContrastiveMaps(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 1.5]]), ("an owl", "a tree"), "dot")
    assert maps.difference.tolist() == [[-3.0, 0.5]]
    assert maps.limit == 3.0
    assert {title: values.tolist() for title, values in maps.maps.items()} == {
        "an owl \u2212 a tree": [[-3.0, 0.5]],
        "a tree \u2212 an owl": [[3.0, -0.5]],
    }
