"""Copies from the memory of the host to a device that do not wait for it."""

import torch
from torch import Tensor


def copy_to(values: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the CPU to a device; to CUDA from pinned memory, since any other copy waits for the device.

    Args:
        values: on the CPU.
        device: where it is wanted; on the CPU nothing is copied.

    Example:
        >>> copy_to(torch.ones(2), torch.device("cpu"))
        tensor([1., 1.])
    """
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
