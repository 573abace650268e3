"""What every system does with the groups that it is given."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import torch

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.systems.base import BenchmarkSystem


def test_a_group_goes_to_cuda_without_waiting() -> None:
    """Lightning asks for that with plain tensors alone; the calls are looked at, no CUDA device is needed."""
    group: Any = MagicMock(spec=ClassGroup)
    device = torch.device("cuda")
    BenchmarkSystem.transfer_batch_to_device(MagicMock(), group, device, 0)
    group.to.assert_called_once_with(device, non_blocking=True)
