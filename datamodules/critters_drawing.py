"""Drawing of one critter: the shapes of every part, and which pixel shows which part.

Shapes are polygons in the critter's own frame (unit lengths, x towards the head, y down), painted back to front into
the image and, with the same pixels, into a label map, so that the ground-truth masks cannot drift from the image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (points, 2)
Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]

#: Value of an attribute whose part is not drawn at all, though every animal of the world has it.
ABSENT = "absent"
#: Parts in the order of their label: pixel value i + 1 is part i, 0 the background.
PARTS = ("coat", "ears", "muzzle", "tail", "legs", "horns", "wings", "back")

COATS: Mapping[str, Colour] = {
    "red": (205, 45, 40),
    "yellow": (235, 200, 50),
    "green": (60, 160, 70),
    "blue": (55, 95, 205),
    "purple": (135, 65, 175),
    "brown": (125, 80, 45),
    "grey": (140, 140, 145),
    "pink": (240, 150, 180),
}


@dataclass
class Canvas:
    """The image under construction: RGB, part labels, and the critter's frame.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8, 0 background, i + 1 the part ``PARTS[i]``.
        transform: (2, 3) affine map from the critter's frame to pixels.
    """

    image: Pixels
    labels: Pixels
    transform: NDArray[np.float64]
    _shift: int = field(default=4, repr=False)

    def pixels(self, points: Points) -> NDArray[np.int32]:
        """Map (n, 2) frame coordinates to fixed-point pixel coordinates."""
        mapped = points @ self.transform[:, :2].T + self.transform[:, 2]
        return np.round(mapped * (1 << self._shift)).astype(np.int32)

    def fill(self, points: Points, colour: Colour, part: str | None, *, within: Pixels | None = None) -> None:
        """Paint a polygon; ``within`` (H, W) restricts it, as markings stay on the coat."""
        outline = [self.pixels(points)]
        if within is not None:
            region = np.zeros_like(self.labels)
            cv2.fillPoly(region, outline, 255, shift=self._shift)
            self.image[(region & within) > 0] = colour
            return
        cv2.fillPoly(self.image, outline, colour, shift=self._shift)
        if part is not None:
            cv2.fillPoly(self.labels, outline, PARTS.index(part) + 1, shift=self._shift)

    def mask(self, part: str) -> Pixels:
        """Return (H, W) uint8, 255 where the part is visible now."""
        return np.where(self.labels == PARTS.index(part) + 1, 255, 0).astype(np.uint8)


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Points:
    """Return a 32-point ellipse, its axes turned by ``angle`` degrees.

    >>> ellipse(1.0, 2.0, 3.0, 4.0).mean(0).round(6).tolist()
    [1.0, 2.0]
    """
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    radians = np.deg2rad(angle)
    along, across = rx * np.cos(turn), ry * np.sin(turn)
    return np.stack(
        [
            x + along * np.cos(radians) - across * np.sin(radians),
            y + along * np.sin(radians) + across * np.cos(radians),
        ],
        axis=1,
    )


def band(path: list[tuple[float, float]], start: float, end: float) -> Points:
    """Return the outline of a stroke along ``path`` whose half-width goes from ``start`` to ``end``.

    >>> sorted(band([(0.0, 0.0), (2.0, 0.0)], 0.5, 0.5).tolist())
    [[0.0, -0.5], [0.0, 0.5], [2.0, -0.5], [2.0, 0.5]]
    """
    line = np.asarray(path, dtype=np.float64)
    direction = np.gradient(line, axis=0)
    normal = np.stack([-direction[:, 1], direction[:, 0]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    width = np.linspace(start, end, len(line))[:, None]
    return np.concatenate([line + normal * width, (line - normal * width)[::-1]])


def polygon(*corners: tuple[float, float]) -> Points:
    """Return the given corners as points.

    >>> polygon((0, 0), (1, 0), (0, 1)).shape
    (3, 2)
    """
    return np.asarray(corners, dtype=np.float64)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a darker (< 1) or lighter (> 1) tone of a colour.

    >>> shade((100, 200, 0), 1.5)
    (150, 255, 0)
    """
    red, green, blue = (int(np.clip(channel * factor, 0, 255)) for channel in colour)
    return red, green, blue


def _spiral(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    turn = np.linspace(0, 3.4 * np.pi, 28)
    shrink = np.linspace(1.0, 0.25, 28) * radius
    return [(x + r * np.cos(t), y + r * np.sin(t)) for r, t in zip(shrink, turn, strict=True)]


# One table per attribute: value -> the (outline, tone) pairs it adds. A tone is a factor on the coat's colour or a
# colour of its own.
Tone = float | Colour
Shapes = list[tuple[Points, Tone]]
_BEAK, _IVORY, _NOSE, _SPINE, _FEATHER, _LEATHER = (
    (245, 160, 30),
    (235, 225, 195),
    (30, 22, 25),
    (60, 50, 60),
    (250, 250, 252),
    (70, 45, 60),
)
HEAD = (0.36, -0.2)


def _pair(make: Callable[[float], Points], tone: Tone, offsets: tuple[float, ...]) -> Shapes:
    return [(make(offset), tone) for offset in offsets]


EARS: Mapping[str, Shapes] = {
    "pointed": _pair(lambda dx: polygon((0.27 + dx, -0.3), (0.29 + dx, -0.52), (0.4 + dx, -0.34)), 0.75, (0.0, 0.12)),
    "round": _pair(lambda dx: ellipse(0.27 + dx, -0.37, 0.085, 0.085), 0.75, (0.0, 0.19)),
    "long": _pair(lambda dx: ellipse(0.28 + dx, -0.5, 0.042, 0.21, -6), 0.75, (0.0, 0.12)),
    "floppy": _pair(lambda dx: ellipse(0.23 + dx, -0.14, 0.06, 0.17, 12), 0.6, (0.0, 0.07)),
}
MUZZLE: Mapping[str, Shapes] = {
    "beak": [(polygon((0.47, -0.27), (0.74, -0.15), (0.47, -0.1)), _BEAK)],
    "snout": [(ellipse(0.56, -0.15, 0.15, 0.07), 1.25), (ellipse(0.69, -0.17, 0.035, 0.03), _NOSE)],
    "trunk": [(band([(0.48, -0.16), (0.6, -0.12), (0.66, 0.0), (0.66, 0.14), (0.72, 0.24)], 0.075, 0.035), 0.85)],
    "flat": [(ellipse(0.5, -0.17, 0.04, 0.035), _NOSE)],
}
TAIL: Mapping[str, Shapes] = {
    "long": [(band([(-0.28, -0.02), (-0.45, -0.02), (-0.58, -0.12), (-0.64, -0.3), (-0.7, -0.4)], 0.03, 0.018), 0.7)],
    "bushy": [(ellipse(-0.47, -0.16, 0.22, 0.11, 40), 0.7), (ellipse(-0.58, -0.25, 0.08, 0.06, 40), 1.4)],
    "curly": [(band(_spiral(-0.42, -0.1, 0.12), 0.026, 0.02), 0.7)],
    "stub": [(ellipse(-0.34, -0.07, 0.06, 0.05), 0.7)],
}
LEGS: Mapping[str, Shapes] = {
    "two": [
        *_pair(lambda dx: band([(0.0 + dx, 0.1), (0.0 + dx, 0.45)], 0.025, 0.025), _BEAK, (-0.06, 0.12)),
        *_pair(lambda dx: band([(-0.04 + dx, 0.45), (0.1 + dx, 0.45)], 0.025, 0.02), _BEAK, (-0.06, 0.12)),
    ],
    "short": _pair(lambda dx: band([(dx, 0.08), (dx, 0.27)], 0.065, 0.07), 0.65, (-0.22, -0.07, 0.1, 0.24)),
    "long": _pair(lambda dx: band([(dx, 0.08), (dx, 0.5)], 0.035, 0.03), 0.65, (-0.24, -0.12, 0.14, 0.25)),
}
HORNS: Mapping[str, Shapes] = {
    "none": [],
    "straight": _pair(
        lambda dx: polygon((0.36 + dx, -0.33), (0.5 + dx, -0.62), (0.43 + dx, -0.31)), _IVORY, (0.0, 0.08)
    ),
    "curved": _pair(
        lambda dx: band([(0.36 + dx, -0.33), (0.34 + dx, -0.46), (0.22 + dx, -0.54), (0.08 + dx, -0.48)], 0.045, 0.012),
        _IVORY,
        (0.0, 0.07),
    ),
    "antlers": [
        *_pair(lambda dx: band([(0.38 + dx, -0.33), (0.38 + 1.9 * dx, -0.64)], 0.02, 0.015), _IVORY, (-0.07, 0.07)),
        *_pair(
            lambda dx: band([(0.38 + 1.4 * dx, -0.46), (0.38 + 3.2 * dx, -0.55)], 0.018, 0.012), _IVORY, (-0.07, 0.07)
        ),
        *_pair(
            lambda dx: band([(0.38 + 1.7 * dx, -0.56), (0.38 + 3.4 * dx, -0.68)], 0.016, 0.012), _IVORY, (-0.07, 0.07)
        ),
    ],
}
WINGS: Mapping[str, Shapes] = {
    "none": [],
    "feathered": [
        (ellipse(-0.1 - 0.05 * i, -0.24 - 0.01 * i, 0.24 - 0.03 * i, 0.06, 60 - 18 * i), shade(_FEATHER, 1 - 0.06 * i))
        for i in range(4)
    ],
    "leathery": [
        (
            polygon(
                (0.08, -0.06),
                (-0.02, -0.52),
                (-0.14, -0.34),
                (-0.3, -0.46),
                (-0.32, -0.26),
                (-0.5, -0.26),
                (-0.16, -0.02),
            ),
            _LEATHER,
        )
    ],
}
BACK: Mapping[str, Shapes] = {
    "smooth": [],
    "spiky": [
        (polygon((x - 0.045, -0.13 - 0.05 * (1 - (x / 0.3) ** 2)), (x - 0.02, -0.3), (x + 0.045, -0.13)), _SPINE)
        for x in (-0.24, -0.14, -0.04, 0.06, 0.16)
    ],
    "humped": [(ellipse(-0.06, -0.17, 0.15, 0.15), 0.85)],
}


_SHAPES: Mapping[str, Mapping[str, Shapes]] = {
    "ears": EARS,
    "muzzle": MUZZLE,
    "tail": TAIL,
    "legs": LEGS,
    "horns": HORNS,
    "wings": WINGS,
    "back": BACK,
}


def _pattern(canvas: Canvas, pattern: str, coat: Colour, rng: np.random.Generator) -> None:
    """Paint the markings on the visible coat."""
    within = canvas.mask("coat")
    dark = shade(coat, 0.35)
    if pattern == "striped":
        for x in np.arange(-0.36, 0.6, 0.105) + rng.uniform(-0.02, 0.02):
            canvas.fill(band([(x, -0.5), (x - 0.04, 0.3)], 0.022, 0.022), dark, None, within=within)
    elif pattern == "spotted":
        for x, y in [(x, y) for x in np.arange(-0.3, 0.55, 0.14) for y in (-0.3, -0.17, -0.04, 0.09)]:
            offset = rng.uniform(-0.02, 0.02, 2)
            canvas.fill(ellipse(x + offset[0] + 0.5 * y, y + offset[1], 0.036, 0.036), dark, None, within=within)
    elif pattern == "pale_belly":
        canvas.fill(ellipse(0.0, 0.14, 0.28, 0.12), (250, 238, 215), None, within=within)


def draw_critter(canvas: Canvas, attributes: Mapping[str, str], rng: np.random.Generator) -> None:
    """Paint all parts of a critter, back to front.

    Args:
        canvas: what to paint on.
        attributes: attribute -> value, as in the table of classes, or ``ABSENT`` for a part that is left out.
        rng: where the tint of the coat and the place of the markings come from.
    """
    jitter = rng.uniform(0.85, 1.12, 3)
    red, green, blue = (int(np.clip(c * j, 0, 255)) for c, j in zip(COATS[attributes["colour"]], jitter, strict=True))
    coat = (red, green, blue)

    def paint(shapes: Shapes, part: str) -> None:
        for points, tone in shapes:
            canvas.fill(points, tone if isinstance(tone, tuple) else shade(coat, tone), part)

    def paint_part(part: str) -> None:
        if attributes[part] != ABSENT:
            paint(_SHAPES[part][attributes[part]], part)

    paint_part("tail")
    paint_part("back")
    paint_part("legs")
    paint_part("horns")
    upright = attributes["ears"] != "floppy"  # upright ears stand behind the head, floppy ones hang before it
    if upright:
        paint_part("ears")
    paint([(ellipse(0.0, 0.0, 0.34, 0.19), 1.0), (ellipse(0.26, -0.1, 0.14, 0.12, 40), 1.0)], "coat")
    paint([(ellipse(*HEAD, 0.17, 0.155), 1.06)], "coat")
    _pattern(canvas, attributes["pattern"], coat, rng)
    paint_part("wings")
    paint_part("muzzle")
    if not upright:
        paint_part("ears")
    canvas.fill(ellipse(0.41, -0.25, 0.042, 0.042), (255, 255, 255), "coat")
    canvas.fill(ellipse(0.42, -0.25, 0.022, 0.022), (10, 10, 15), "coat")
