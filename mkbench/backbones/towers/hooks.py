"""Looking at what passes the modules of a model, without keeping all of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from mkbench.backbones.towers.patch_readers import WatchPoint

#: Takes what passes a point, and the argument `rope` of the call.
Keep = Callable[[Tensor, Tensor | None], None]


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
