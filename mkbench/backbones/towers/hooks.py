"""Forward hooks that keep, replace or hand on the activations of a model while a context is open."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Module

#: Takes what passes a point, and the argument `rope` of the call.
Keep = Callable[[Tensor, Tensor | None], None]


@dataclass(frozen=True)
class WatchPoint:
    """A module whose first input or whose output is to be kept during a forward pass."""

    module: Module
    side: Literal["input", "output"]


@contextmanager
def watch(points: Mapping[str, WatchPoint]) -> Iterator[dict[str, Tensor]]:
    """Keep what passes the points while the context is open; no hook outlives it, whatever happens inside.

    Args:
        points: name -> where to look.

    Yields:
        A dictionary that the forward pass fills: name -> tensor.

    >>> layer = torch.nn.ReLU()
    >>> with watch({"before": WatchPoint(layer, "input")}) as seen:
    ...     _ = layer(torch.tensor([-1.0]))
    >>> seen["before"], len(layer._forward_pre_hooks)
    (tensor([-1.]), 0)
    """
    seen: dict[str, Tensor] = {}

    def attach(name: str, point: WatchPoint) -> torch.utils.hooks.RemovableHandle:
        if point.side == "input":
            return point.module.register_forward_pre_hook(lambda _, inputs: seen.__setitem__(name, inputs[0]))
        return point.module.register_forward_hook(lambda _, __, output: seen.__setitem__(name, output))

    with ExitStack() as stack:
        for name, point in points.items():
            stack.callback(attach(name, point).remove)
        yield seen


@contextmanager
def intercept(point: WatchPoint, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let a function replace what passes a point while the context is open; no hook outlives it.

    Args:
        point: where.
        change: what passes -> what passes instead.

    >>> layer = torch.nn.ReLU()
    >>> with intercept(WatchPoint(layer, "output"), lambda passed: passed + 1):
    ...     changed = layer(torch.tensor([-1.0]))
    >>> changed, len(layer._forward_hooks)
    (tensor([1.]), 0)
    """
    if point.side == "input":
        handle = point.module.register_forward_pre_hook(lambda _, inputs: (change(inputs[0]), *inputs[1:]))
    else:
        handle = point.module.register_forward_hook(lambda _, __, output: change(output))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def tap(points: Iterable[tuple[WatchPoint, Keep]]) -> Iterator[None]:
    """Hand what passes the points to functions while the context is open; no hook outlives it.

    Args:
        points: where, and a function of what passes and of the argument ``rope`` of the call.

    >>> layer, seen = torch.nn.ReLU(), []
    >>> with tap([(WatchPoint(layer, "output"), lambda passed, rope: seen.append(passed))]):
    ...     _ = layer(torch.tensor([-1.0]))
    >>> seen, len(layer._forward_hooks)
    ([tensor([0.])], 0)
    """

    def attach(point: WatchPoint, keep: Keep) -> torch.utils.hooks.RemovableHandle:
        if point.side == "input":
            return point.module.register_forward_pre_hook(
                lambda _, inputs, named: keep(inputs[0], named.get("rope")), with_kwargs=True
            )
        return point.module.register_forward_hook(lambda _, __, output: keep(output, None))

    with ExitStack() as stack:
        for point, keep in points:
            stack.callback(attach(point, keep).remove)
        yield
