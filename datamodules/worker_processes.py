"""Worker processes of a DataLoader: tensors of any size, and no last words when the process of the model is gone."""

import shutil
import sys
from collections.abc import Callable
from multiprocessing import ProcessError
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing import reductions

#: Where Linux keeps shared memory; a container has 64 MB of it by default.
SHARED_MEMORY = Path("/dev/shm")
#: Share of the free shared memory that a tensor may take: other workers and devices send theirs at the same time.
_MOST_SHARED = 1 / 64
#: How torch sends a tensor; its annotations are incomplete.
_SHARE: Callable[[Tensor], Any] = reductions.reduce_tensor


def prepare_worker(worker: int) -> None:
    """Prepare a worker process; a ``worker_init_fn``.

    A tensor that is large beside the free shared memory goes through the worker's pipe instead, which takes 4 ms for a
    megabyte more but has no limit; where shared memory runs out, a worker is killed or its group never arrives. The
    thread that hands tensors over says nothing when the process of the model ends at the other side.

    Args:
        worker: number of the worker.
    """
    ForkingPickler.register(Tensor, _reduce)
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception of a thread, unless it is that the other side of a connection is gone."""
    if not isinstance(error, (EOFError, OSError, ProcessError)):
        sys.__excepthook__(kind, error, trace)


def _reduce(tensor: Tensor) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    """Return how to build a tensor again in another process, as ``__reduce__`` does."""
    if SHARED_MEMORY.is_dir() and tensor.nbytes > shutil.disk_usage(SHARED_MEMORY).free * _MOST_SHARED:
        return torch.from_numpy, (tensor.numpy(),)
    shared: tuple[Callable[..., Tensor], tuple[Any, ...]] = _SHARE(tensor)
    return shared
