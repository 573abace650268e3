from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.heads.part_maps import score_part_maps
from mkbench.heads.token_readings import TokenReadings

#: Four patches of 2 x 2 pixels: part 0 is the upper left one, part 1 the right half, part 2 is nowhere.
GRID = (2, 2)


def part_masks() -> Tensor:
    masks = torch.zeros(1, 3, 4, 4, dtype=torch.bool)
    masks[0, 0, :2, :2] = True
    masks[0, 1, :, 2:] = True
    return masks


def readings(written: Tensor, attention: Tensor) -> TokenReadings:
    """One head that writes (N, d) at the patches and nothing at the class token."""
    tokens = torch.cat([torch.zeros(1, written.shape[1]), written])
    return TokenReadings(
        mixed=(tokens[None, :, None],),
        folds=(torch.eye(written.shape[1])[None],),
        embedding=torch.ones(1, written.shape[1]),
        attention=torch.cat([torch.zeros(1), attention]).view(1, 1, 1, -1),
        layers=(3,),
    )


def test_heads_that_write_each_part_where_it_is() -> None:
    written = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    attention = torch.tensor([0.0, 0.0, 1.0, 0.0])  # looks where no part is
    scores = score_part_maps(readings(written, attention), torch.eye(3)[None], part_masks(), grid=GRID, patch_size=2)
    own, others, attended = (each[0].tolist() for each in scores)
    # Bilinear maps cut at their mean: of 1, 3/4, 1/4, 0 along a side, whose products are above 1/4 in one corner alone.
    assert own[:2] == [1.0, 1.0]
    assert others[:2] == [0.0, 0.0]
    assert attended[:2] == [0.0, 0.0]
    assert torch.stack(scores)[:, 0].isnan().tolist() == [[False, False, True]] * 3  # there is no such part


def test_a_part_that_no_descriptor_speaks_of_has_no_score_and_is_no_control() -> None:
    directions = torch.eye(3)[None].clone()
    directions[0, 1:] = 0
    written = torch.tensor([[1.0, 0.0, 0.0]] + [[0.0, 0.0, 0.0]] * 3)
    scores = score_part_maps(readings(written, torch.ones(4)), directions, part_masks(), grid=GRID, patch_size=2)
    assert scores.own.isnan().tolist() == [[False, True, True]]
    assert bool(scores.others.isnan().all())  # nothing else is described
    assert scores.attention[0, 0].item() == 0.0  # a map without contrast has no object


def test_masks_of_other_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected masks of the same images and parts"):
        score_part_maps(
            readings(torch.eye(4), torch.ones(4)), torch.ones(1, 2, 4), part_masks(), grid=GRID, patch_size=2
        )
