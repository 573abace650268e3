"""Drawing of the scene behind a critter: sky, ground, and at most one other thing."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from mkbench.datamodules.critters_drawing import Colour, Pixels
from mkbench.datamodules.critters_draws import StageDraws

_SKIES: Mapping[str, tuple[Colour, Colour]] = {
    "day": ((110, 170, 235), (190, 220, 245)),
    "night": ((15, 18, 50), (45, 50, 95)),
    "dusk": ((200, 90, 70), (245, 180, 110)),
    "overcast": ((150, 155, 160), (195, 198, 200)),
}
_GROUNDS: Mapping[str, Colour] = {
    "meadow": (95, 150, 60),
    "desert": (220, 190, 130),
    "snow": (238, 242, 248),
    "sea": (40, 100, 150),
    "rock": (120, 118, 115),
    "mud": (90, 65, 45),
}


def draw_scene(size: int, scene: Mapping[str, str], draws: StageDraws) -> Pixels:
    """Return the (size, size, 3) image of ground, sky and at most one other thing.

    Args:
        size: side in pixels.
        scene: the values of ``sky``, ``ground`` and ``thing``.
        draws: where horizon, brightness, texture and places come from.

    >>> scene = {"sky": "day", "ground": "snow", "thing": "tree"}
    >>> draw_scene(64, scene, StageDraws(np.random.default_rng(0))).shape
    (64, 64, 3)
    """
    rng = draws.at("scene")
    top, bottom = (np.asarray(colour, np.float64) for colour in _SKIES[scene["sky"]])
    fade = np.linspace(0, 1, size)[:, None, None]
    image = np.broadcast_to(top + (bottom - top) * fade, (size, size, 3)).copy()
    horizon = int(size * rng.uniform(0.5, 0.72))
    ground = np.asarray(_GROUNDS[scene["ground"]], np.float64) * rng.uniform(0.85, 1.1)
    rows = np.linspace(1.0, 0.8, size - horizon)[:, None, None]
    image[horizon:] = ground * rows * (0.4 if scene["sky"] == "night" else 1.0)
    texture = rng.normal(0, 10, (size // 8, size // 8, 1))
    image += np.asarray(cv2.resize(texture, (size, size), interpolation=cv2.INTER_LINEAR), np.float64)[..., None]
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    _draw_details(pixels, scene, horizon, rng)
    side = draws.at("thing").choice([0.13, 0.87])
    _THINGS[scene["thing"]](pixels, int(side * size), horizon, size)
    return pixels


def _draw_details(image: Pixels, scene: Mapping[str, str], horizon: int, rng: np.random.Generator) -> None:
    """Stars at night, waves on the sea, blades on the meadow."""
    size = len(image)
    if scene["sky"] == "night":
        for x, y in rng.integers(0, [size, horizon], (30, 2)):
            cv2.circle(image, (int(x), int(y)), max(1, size // 160), (255, 255, 230), -1)
    if scene["ground"] in ("sea", "meadow"):
        colour = (150, 190, 220) if scene["ground"] == "sea" else (60, 110, 35)
        for x, y in rng.integers([0, horizon], [size, size], (40, 2)):
            across = (size // 16, 0) if scene["ground"] == "sea" else (0, size // 32)
            cv2.line(image, (int(x), int(y)), (int(x) + across[0], int(y) - across[1]), colour, max(1, size // 160))


def _tree(image: Pixels, x: int, y: int, size: int) -> None:
    cv2.rectangle(image, (x - size // 50, y - size // 5), (x + size // 50, y + size // 12), (90, 60, 35), -1)
    cv2.circle(image, (x, y - size // 4), size // 8, (40, 110, 45), -1)


def _boulder(image: Pixels, x: int, y: int, size: int) -> None:
    cv2.ellipse(image, (x, y + size // 10), (size // 7, size // 10), 0, 0, 360, (105, 100, 98), -1)


def _fence(image: Pixels, x: int, y: int, size: int) -> None:
    wood = (165, 125, 80)
    for step in range(0, size, size // 8):
        cv2.rectangle(image, (step, y - size // 9), (step + size // 40, y + size // 16), wood, -1)
    cv2.rectangle(image, (0, y - size // 16), (size, y - size // 28), wood, -1)


def _mushroom(image: Pixels, x: int, y: int, size: int) -> None:
    ground = min(y + size // 5, size - 1)
    cv2.rectangle(image, (x - size // 40, ground - size // 10), (x + size // 40, ground), (240, 235, 220), -1)
    cv2.ellipse(image, (x, ground - size // 10), (size // 12, size // 12), 0, 180, 360, (215, 35, 35), -1)


def _sun(image: Pixels, x: int, y: int, size: int) -> None:
    cv2.circle(image, (x, size // 8), size // 11, (255, 225, 70), -1)


def _cloud(image: Pixels, x: int, y: int, size: int) -> None:
    for step in (-1, 0, 1):
        cv2.circle(image, (x + step * size // 14, size // 8), size // 15, (245, 246, 250), -1)


def _nothing(image: Pixels, x: int, y: int, size: int) -> None:
    pass


_THINGS: Mapping[str, Callable[[Pixels, int, int, int], None]] = {
    "tree": _tree,
    "boulder": _boulder,
    "fence": _fence,
    "mushroom": _mushroom,
    "sun": _sun,
    "cloud": _cloud,
    "none": _nothing,
}
