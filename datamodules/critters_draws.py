"""Random numbers of a rendered image, stage by stage, so that a changed image is drawn with the same ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class StageDraws:
    """Random generator of an image's stages: what a stage draws does not depend on what is drawn before it.

    The first drawing of an image records where its generator stands at every stage; a later drawing with the same
    object starts each stage from there. So an image whose pattern or ground is another, which takes more or fewer
    numbers, keeps its pose, its light and its noise.

    Args:
        rng: generator of the image.

    >>> draws = StageDraws(np.random.default_rng(0))
    >>> first = [draws.at("markings").random(3), draws.at("light").random()]
    >>> again = [draws.at("markings").random(7), draws.at("light").random()]
    >>> bool(first[1] == again[1])
    True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._states: dict[str, Mapping[str, Any]] = {}

    def at(self, stage: str) -> np.random.Generator:
        """Return the generator at the start of a stage; the first time, where it stands now."""
        if stage in self._states:
            self._rng.bit_generator.state = self._states[stage]
        else:
            self._states[stage] = self._rng.bit_generator.state
        return self._rng
