"""Costs of explainers in a run: images through the image encoder and time, beyond the pass that all of them share."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mkbench.backbones import Backbone
from mkbench.systems.timing import StageClock


@dataclass
class _Cost:
    images: int = 0
    passes: int = 0
    seconds: float = 0.0

    def add(self, passes: int, seconds: float) -> None:
        self.passes += passes
        self.seconds += seconds


class ExplainerCosts:
    """Adds up what each explainer of a run costs; what one asks of another is the other's.

    Args:
        backbone: counts the images that it was given (``prepared_images``).

    >>> from mkbench.backbones import load_backbone
    >>> costs = ExplainerCosts(load_backbone("critters-vit-s"))
    >>> with costs.measure("random", images=2):
    ...     with costs.measure("pca", images=2):
    ...         pass
    >>> costs.describe()["explainer_costs"]["pca"]["forwards"]
    0.0
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._shared = _Cost()
        self._costs: dict[str, _Cost] = defaultdict(_Cost)
        self._nested: list[_Cost] = []

    @contextmanager
    def measure(self, name: str | None, *, images: int) -> Iterator[None]:
        """Measure while the context is open.

        Args:
            name: of the explainer; None: the forward pass that all of them share.
            images: how many images are explained.
        """
        clock = StageClock(self._backbone.device)
        passes, start = self._backbone.prepared_images, clock.now()
        others = _Cost()
        self._nested.append(others)
        try:
            yield
        finally:
            self._nested.pop()
        passes, seconds = self._backbone.prepared_images - passes, clock.now() - start
        cost = self._shared if name is None else self._costs[name]
        cost.images += images
        cost.add(passes - others.passes, seconds - others.seconds)
        if self._nested:
            self._nested[-1].add(passes, seconds)

    def describe(self) -> dict[str, Any]:
        """Return what ``environment.json`` says: ``forward_ms`` of an image, and what each explainer adds to it."""
        shared = {"forward_ms": _of_image(self._shared)["ms"]} if self._shared.images else {}
        costs = {name: _of_image(cost) for name, cost in self._costs.items() if cost.images}
        return {**shared, "explainer_costs": costs} if costs else shared


def _of_image(cost: _Cost) -> dict[str, float]:
    return {"forwards": round(cost.passes / cost.images, 3), "ms": round(cost.seconds * 1e3 / cost.images, 3)}
