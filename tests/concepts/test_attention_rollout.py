from __future__ import annotations

import pytest
import torch

from mkbench.concepts.attention_rollout import class_token_relevance


def test_three_blocks_by_matrices() -> None:
    torch.manual_seed(0)
    blocks = [torch.rand(2, 4, 4, dtype=torch.float64) for _ in range(3)]
    one = torch.eye(4, dtype=torch.float64)
    expected = (one + blocks[2]) @ (one + blocks[1]) @ (one + blocks[0])
    torch.testing.assert_close(class_token_relevance(blocks), expected[:, 0])


def test_no_relevance_leaves_the_class_token_alone() -> None:
    assert class_token_relevance([torch.zeros(1, 3, 3)] * 2).tolist() == [[1.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match="at least one block"):
        class_token_relevance([])
