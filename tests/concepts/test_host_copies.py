"""Which calls a copy to a device makes; no CUDA device is needed for that, and none is tested."""

from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from mkbench.concepts.host_copies import copy_to


@pytest.mark.parametrize(("kind", "pinned"), [("cpu", False), ("cuda", True), ("mps", False)])
def test_memory_is_pinned_for_cuda_alone(kind: str, pinned: bool) -> None:
    values: Any = MagicMock(spec=torch.Tensor)
    device = torch.device(kind)
    copy_to(values, device)
    if pinned:
        values.pin_memory.return_value.to.assert_called_once_with(device, non_blocking=True)
    else:
        values.to.assert_called_once_with(device)
        values.pin_memory.assert_not_called()
