"""Interventions in Critters: the same image with exactly one thing changed, everything else equal to the pixel.

What changes is one attribute of the animal (``colour``, ``tail``, ...), the ground it stands on (``background``), or
one of its parts, which is left out (``removed_part``) so that the coat or the scene behind it is seen. Pose, light and
noise are those of the original image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mkbench.datamodules.critters_drawing import ABSENT
from mkbench.datamodules.critters_world import Critter, Mask, Plan, load_world, make_generator, paint
from mkbench.errors import UsageError
from mkbench.metrics.functional.intervention import FACTORS

#: Factor of the ground under the animal, and of a part that is left out.
BACKGROUND, REMOVED_PART = "background", "removed_part"
#: Part -> the value of an animal without it; the other parts have none of their own.
_WITHOUT = {"horns": "none", "wings": "none", "back": "smooth"}
_REMOVABLE = ("ears", "muzzle", "tail", "legs", "horns", "wings", "back")


@dataclass(frozen=True)
class Intervention:
    """Image that differs from another in one factor.

    Attributes:
        factor: what differs, one of ``FACTORS``.
        value: its new value, such as ``"curly"``; for a removed part the name of the part.
        critter: the changed image with its ground truth.
        changed: (S, S) bool, the pixels that differ; where the factor cannot be seen in either image, none.
    """

    factor: str
    value: str
    critter: Critter
    changed: Mask


def require_factors(factors: Sequence[str]) -> tuple[str, ...]:
    """Return factors that exist, each named once.

    Raises:
        UsageError: one that does not exist, or is repeated.

    >>> require_factors(["tail", "background"])
    ('tail', 'background')
    """
    unknown = sorted(set(factors) - set(FACTORS))
    if unknown or len(set(factors)) < len(factors):
        found = f"{', '.join(unknown)}" if unknown else f"one of them twice: {', '.join(factors)}"
        raise UsageError(
            f"Expected --data.intervention to list different ones of {', '.join(FACTORS)}, found {found}; correct it."
        )
    return tuple(factors)


def intervene(critter: Critter, factor: str, *, seed: int = 0) -> Intervention:
    """Render an image again with one factor changed.

    The new value is drawn from the others of the factor; a removed part, from those that the animal has. The draw
    depends on the image, the factor and the seed alone.

    Args:
        critter: the original image.
        factor: one of ``FACTORS``.
        seed: seed of the whole data set.

    Raises:
        UsageError: another factor.

    >>> from mkbench.datamodules.critters_world import render
    >>> pair = intervene(render("blorp", 0), "background")
    >>> pair.critter.image[~pair.changed].tolist() == render("blorp", 0).image[~pair.changed].tolist()
    True
    """
    require_factors([factor])
    rng = make_generator(seed, "intervention", critter.sample_id, factor)
    plan, value = _change(critter.plan, factor, rng)
    changed = paint(plan)
    differs: Mask = (changed.image != critter.image).any(axis=2)
    return Intervention(factor, value, changed, differs)


def _change(plan: Plan, factor: str, rng: np.random.Generator) -> tuple[Plan, str]:
    """Return the plan with one factor changed, and its new value."""
    world = load_world()
    if factor == BACKGROUND:
        value = _another(world.scene["ground"], plan.scene["ground"], rng)
        return replace(plan, scene={**plan.scene, "ground": value}), value
    if factor == REMOVED_PART:
        there = [part for part in _REMOVABLE if plan.attributes[part] != _WITHOUT.get(part)]
        part = str(rng.choice(there))
        return replace(plan, attributes={**plan.attributes, part: _WITHOUT.get(part, ABSENT)}), part
    value = _another(world.attributes[factor], plan.attributes[factor], rng)
    return replace(plan, attributes={**plan.attributes, factor: value}), value


def _another(values: Sequence[str], value: str, rng: np.random.Generator) -> str:
    return str(rng.choice([other for other in values if other != value]))
