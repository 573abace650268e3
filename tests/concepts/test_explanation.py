import dataclasses

import numpy as np
import pytest
import torch

from mkbench.concepts import GroupExplanation, VisionConcepts


def two_images():
    """Two images, two parts; the second image has only part 1."""
    labels = torch.tensor([[[0, 1], [-1, -1]], [[-1, -1], [1, 1]]])
    return GroupExplanation(
        explainer="pca",
        part_labels=labels,
        part_pixels=(labels[:, None] == torch.arange(2)[:, None, None]),
        present=torch.tensor([[True, True], [False, True]]),
        part_embeddings=torch.arange(12.0).reshape(2, 2, 3),
        descriptor_ids=torch.tensor([[[5, 2], [2, -1]], [[-1, -1], [7, 5]]]),
        vision=VisionConcepts(
            torch.tensor([[2, 5, -1, -1], [5, 7, -1, -1]]),
            torch.tensor([[0.6, 0.5, 0, 0], [0.9, 0.1, 0, 0]], dtype=torch.float64),
            torch.tensor([2, 2]),
        ),
        fallbacks={"single_part": 1},
    )


def test_view_of_one_image():
    first, second = two_images().image(0), two_images().image(1)
    assert [part.index for part in first.parts] == [0, 1]
    assert [part.index for part in second.parts] == [1]
    assert first.concept_ids.tolist() == [2, 5]
    np.testing.assert_allclose(first.importance, [0.6, 0.5])
    part = first.parts[0]
    assert part.descriptor_ids.tolist() == [5, 2]
    np.testing.assert_allclose(part.scores, [0.5, 0.6])  # each descriptor's own importance, in rank order
    assert part.mask.tolist() == [[True, False], [False, False]]
    assert part.embedding.tolist() == [0, 1, 2]
    np.testing.assert_allclose(second.parts[0].scores, [0.1, 0.9])


def test_length_and_missing_image():
    assert len(two_images()) == 2
    with pytest.raises(IndexError, match=r"must lie in 0\.\.1"):
        two_images().image(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("present", torch.ones(2, dtype=torch.bool)),
        ("present", torch.ones(2, 2)),
        ("part_labels", torch.zeros(2, 2, 2)),
        ("part_pixels", torch.zeros(2, 3, 2, 2, dtype=torch.bool)),
        ("part_pixels", torch.zeros(2, 2, 4, 2, dtype=torch.bool)),
        ("part_embeddings", torch.zeros(2, 3, 3)),
        ("descriptor_ids", torch.zeros(2, 4, dtype=torch.int64)),
        ("vision", VisionConcepts(torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 3), torch.zeros(2).long())),
        ("vision", VisionConcepts(torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4), torch.zeros(3).long())),
    ],
)
def test_shapes_are_checked_where_they_enter(field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(two_images(), **{field: value})
