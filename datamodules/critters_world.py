"""The world of Critters: invented animals with ground truth for every part and descriptor.

An image is a function of (seed, split, class, index) alone, so that any process renders the same image.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.datamodules.critters_backgrounds import BACKGROUNDS, find_background
from mkbench.datamodules.critters_drawing import PARTS, Canvas, Pixels, draw_critter
from mkbench.datamodules.critters_draws import StageDraws
from mkbench.datamodules.critters_scene import draw_scene

Mask = NDArray[np.bool_]

_WORLD_FILE = resources.files("mkbench") / "assets" / "critters" / "world.json"
#: Side of an image in pixels; each model resizes it by its own geometry.
IMAGE_SIZE = 160
_SUPERSAMPLING = 2
#: A part counts as visible from this share of the image on (0.1 % is 26 pixels).
_VISIBLE = 0.001


@dataclass(frozen=True)
class Descriptor:
    """One entry of the concept bank.

    Attributes:
        text: the words, such as ``"a bushy tail"``.
        part: the part it speaks of, ``"background"``, or ``"none"`` if it is true of no image.
        requires: attribute or scene values that make it true.

    >>> tail = Descriptor("a bushy tail", "tail", {"tail": "bushy"})
    >>> tail.is_true({"tail": "bushy", "sky": "night"}), tail.is_true({"tail": "stub"})
    (True, False)
    """

    text: str
    part: str
    requires: Mapping[str, str]

    def is_true(self, facts: Mapping[str, str]) -> bool:
        """Tell whether all required values hold."""
        return all(facts.get(key) == value for key, value in self.requires.items())


@dataclass(frozen=True)
class World:
    """World of Critters: classes, descriptors and scenes.

    Attributes:
        classes: class name -> attribute -> value, in class order.
        descriptors: the concept bank in order.
        attributes: attribute of an animal -> its possible values.
        scene: scene element -> its possible values.
    """

    classes: Mapping[str, Mapping[str, str]]
    descriptors: tuple[Descriptor, ...]
    attributes: Mapping[str, tuple[str, ...]]
    scene: Mapping[str, tuple[str, ...]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in class order."""
        return tuple(self.classes)

    def class_descriptors(self, name: str) -> list[str]:
        """Return the descriptors that hold for a class in whatever scene.

        >>> "pointed ears" in load_world().class_descriptors("zindle")
        True
        """
        return [entry.text for entry in self.descriptors if entry.is_true(self.classes[name])]


@dataclass(frozen=True)
class Plan:
    """Plan of an image: what it is to show, and the random numbers that it is drawn with.

    Attributes:
        attributes: attribute of the animal -> its value, or ``ABSENT`` for a part that is left out.
        scene: scene element -> its value.
        draws: random numbers of its pose, light and noise, the same for every drawing of this plan.
        sample_id: ``split/class/index``.
    """

    attributes: Mapping[str, str]
    scene: Mapping[str, str]
    draws: StageDraws
    sample_id: str


@dataclass(frozen=True)
class Critter:
    """One rendered image with its ground truth.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        labels: (S, S) uint8; 0 background, i + 1 the part ``PARTS[i]``.
        ground_truth: (D,) bool; which descriptors of the bank the image shows.
        plan: what it was painted from.
    """

    image: Pixels
    labels: Pixels
    ground_truth: Mask
    plan: Plan

    @property
    def sample_id(self) -> str:
        """Its name, ``split/class/index``."""
        return self.plan.sample_id

    def part_mask(self, part: str) -> Mask:
        """Return (S, S) bool, the pixels of a part, of ``"background"`` or (all False) of ``"none"``."""
        if part == "none":
            return np.zeros(self.labels.shape, np.bool_)
        mask: Mask = self.labels == (0 if part == "background" else PARTS.index(part) + 1)
        return mask

    def box(self) -> tuple[int, int, int, int]:
        """Return the inclusive pixel corners (left, top, right, bottom) of the whole animal."""
        rows, columns = np.nonzero(self.labels)
        return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


@lru_cache(maxsize=1)
def load_world() -> World:
    """Read the world from the packaged table.

    >>> world = load_world()
    >>> len(world.classes)
    32
    """
    table = json.loads(_WORLD_FILE.read_text(encoding="utf-8"))
    classes = {
        entry["name"]: {key: value for key, value in entry.items() if key != "name"} for entry in table["classes"]
    }
    descriptors = tuple(Descriptor(**entry) for entry in table["descriptors"])
    attributes, scene = (
        {key: tuple(values) for key, values in table[name].items()} for name in ("attributes", "scene")
    )
    return World(classes, descriptors, attributes, scene)


def make_generator(*words: object) -> np.random.Generator:
    """Return a generator that depends on the arguments alone, in every process and on every platform.

    >>> bool(make_generator(0, "test", "blorp", 1).random() == make_generator(0, "test", "blorp", 1).random())
    True
    """
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def render(class_name: str, index: int, *, split: str = "test", seed: int = 0) -> Critter:
    """Render image ``index`` of a class.

    Args:
        class_name: one of ``load_world().class_names``.
        index: number of the image within its class and split, from 0.
        split: ``"train"``, ``"val"`` or ``"test"``; any name gives images of its own. Those of ``"background"`` and
            ``"background-train"`` have backgrounds that are tied to the classes, see ``find_background``.
        seed: seed of the whole data set.

    Raises:
        ValueError: an unknown class.

    >>> critter = render("blorp", 0)
    >>> critter.image.shape, int(critter.labels.max()) > 0
    ((160, 160, 3), True)
    """
    return paint(plan_image(class_name, index, split=split, seed=seed))


def render_wild(index: int, *, split: str = "train", seed: int = 0) -> Critter:
    """Render an animal whose parts are drawn independently, so that it belongs to no class.

    On such images no part tells another, so a model has to look at every part to describe it.

    Args:
        index: number of the image within its split, from 0.
        split: as for ``render``.
        seed: as for ``render``.

    >>> render_wild(0).sample_id
    'train/wild/0000'
    """
    rng = make_generator(seed, split, "wild", index)
    attributes = {key: str(rng.choice(values)) for key, values in load_world().attributes.items()}
    return paint(_plan(attributes, rng, f"{split}/wild/{index:04d}"))


def plan_image(class_name: str, index: int, *, split: str = "test", seed: int = 0) -> Plan:
    """Plan image ``index`` of a class; see :func:`render` for arguments and errors.

    >>> plan_image("blorp", 0).scene.keys() == load_world().scene.keys()
    True
    """
    world = load_world()
    if class_name not in world.classes:
        raise ValueError(f"Expected a class of Critters, one of {', '.join(world.classes)}, got {class_name!r}.")
    rng = make_generator(seed, split, class_name, index)
    background = find_background(split, world.class_names.index(class_name), index)
    grounds = None if background is None else BACKGROUNDS[background]
    return _plan(world.classes[class_name], rng, f"{split}/{class_name}/{index:04d}", grounds=grounds)


def _plan(
    attributes: Mapping[str, str], rng: np.random.Generator, sample_id: str, *, grounds: tuple[str, ...] | None = None
) -> Plan:
    """Draw a random scene, on one of the given grounds or on any."""
    possible = dict(load_world().scene) | ({} if grounds is None else {"ground": grounds})
    scene = {key: str(rng.choice(values)) for key, values in possible.items()}
    return Plan(attributes, scene, StageDraws(rng), sample_id)


def paint(plan: Plan) -> Critter:
    """Paint a planned image.

    Args:
        plan: from :func:`plan_image`; or that of a painted image with other values, which differs from it in these
            alone.

    >>> plan = plan_image("blorp", 0)
    >>> bool((paint(plan).image == paint(plan).image).all())
    True
    """
    canvas = paint_canvas(plan)
    labels = canvas.labels[::_SUPERSAMPLING, ::_SUPERSAMPLING].copy()
    ground_truth = _ground_truth(load_world(), {**plan.attributes, **plan.scene}, labels)
    return Critter(_light(canvas.image, plan.draws), labels, ground_truth, plan)


def paint_canvas(plan: Plan) -> Canvas:
    """Paint scene and animal at twice the size of the image, before light and noise.

    >>> paint_canvas(plan_image("blorp", 0)).labels.shape
    (320, 320)
    """
    canvas = _canvas(plan)
    draw_critter(canvas, plan.attributes, plan.draws.at("animal"))
    return canvas


def paint_scene(critter: Critter) -> Pixels:
    """Paint what lies behind an animal, in the same light: (S, S, 3) uint8 RGB.

    >>> critter = render("blorp", 0)
    >>> behind = paint_scene(critter) == critter.image
    >>> bool(behind[0, 0].all()), bool(behind.all())
    (True, False)
    """
    return _light(_canvas(critter.plan).image, critter.plan.draws)


def _canvas(plan: Plan) -> Canvas:
    """Return the scene, ready for its animal in a random pose."""
    size = IMAGE_SIZE * _SUPERSAMPLING
    scene = draw_scene(size, plan.scene, plan.draws)
    pose = _pose(size, plan.scene["facing"], plan.draws.at("pose"))
    return Canvas(scene, np.zeros((size, size), np.uint8), pose)


def _light(pixels: Pixels, draws: StageDraws) -> Pixels:
    """Bring an image to its size, brighten or darken it, and add noise."""
    image = cv2.resize(pixels, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    rng = draws.at("light")
    lit = image * rng.uniform(0.85, 1.1) + rng.normal(0, 4, image.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _pose(size: int, facing: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the (2, 3) affine map of a pose: facing, scale, small rotation, stretch and place."""
    angle = np.deg2rad(rng.uniform(-10, 10))
    scale = size * rng.uniform(0.54, 0.66) * np.array([1.0, rng.uniform(0.92, 1.08)])
    mirror = np.diag([-1.0 if facing == "left" else 1.0, 1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = size * (0.5 + rng.uniform(-0.06, 0.06, 2)) + np.array([0.0, 0.08 * size])
    return np.concatenate([turn @ mirror @ np.diag(scale), centre[:, None]], axis=1)


def _ground_truth(world: World, facts: Mapping[str, str], labels: Pixels) -> Mask:
    """Tell which descriptors the image shows: the facts hold, and the part can be seen where there is one to see."""
    shares = np.bincount(labels.ravel(), minlength=len(PARTS) + 1) / labels.size

    def visible(entry: Descriptor) -> bool:
        absent = any(facts.get(key) in ("none", "smooth") for key in entry.requires)  # "no horns" shows by absence
        return absent or entry.part not in PARTS or bool(shares[PARTS.index(entry.part) + 1] >= _VISIBLE)

    return np.array([entry.is_true(facts) and visible(entry) for entry in world.descriptors])


def ground_truth_matrix(critters: list[Critter]) -> Tensor:
    """Stack which descriptors images show to (images, descriptors) bool.

    >>> ground_truth_matrix([render("blorp", 0), render("zindle", 0)]).shape == (2, len(load_world().descriptors))
    True
    """
    return torch.from_numpy(np.stack([critter.ground_truth for critter in critters]))
