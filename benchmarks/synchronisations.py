"""Count of the operations for which a GPU would be waited for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_aten: Any = torch.ops.aten
# Their result, or its shape, depends on values, so that the CPU waits for the device.
_READING = {
    _aten._local_scalar_dense.default,
    _aten.equal.default,
    _aten.is_nonzero.default,
    _aten.masked_select.default,
    _aten.nonzero.default,
    _aten.repeat_interleave.Tensor,
    _aten._unique2.default,
    _aten.unique_dim.default,
    _aten.unique_consecutive.default,
}
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}


class SynchronisationCounter(TorchDispatchMode):
    """Counter of the synchronising operations inside a ``with`` block, on any device.

    Counted are the reading of a scalar (``item``, ``int``, ``bool``, ``tolist`` of one), ``nonzero``, boolean indexing,
    ``unique``, ``equal``, ``repeat_interleave`` by a tensor, and copies from a GPU to the CPU. On a CPU all are seen
    but the copies, since ``cpu()`` does nothing there.

    Attributes:
        counts: operation -> how often it ran.

    Example:
        >>> with SynchronisationCounter() as counter:
        ...     _ = torch.arange(3).sum().item(), torch.arange(3)[torch.tensor([True, False, True])]
        >>> counter.total
        2
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """All of them."""
        return self.counts.total()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and count it if it synchronises."""
        result = func(*args, **(kwargs or {}))
        if func in _READING or _by_mask(func, args) or _to_cpu(args, result):
            self.counts[str(func)] += 1
        return result


def _by_mask(func: Any, args: Sequence[Any]) -> bool:
    """Whether it indexes by a boolean mask."""
    return func in _INDEXING and any(index is not None and index.dtype == torch.bool for index in args[1])


def _to_cpu(args: Sequence[Any], result: Any) -> bool:
    """Whether it copies from a GPU to the CPU."""
    if not (args and isinstance(result, Tensor) and result.device.type == "cpu"):
        return False
    return any(isinstance(value, Tensor) and value.device.type != "cpu" for value in args)
