"""Region encoders by the name that a configuration gives them."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from mkbench.concepts.prompts import PROMPTS
from mkbench.concepts.region_encoders.base import RegionEncoder
from mkbench.concepts.region_encoders.cropped_regions import RegionCrops
from mkbench.concepts.region_encoders.masked_regions import MaskedRegions
from mkbench.concepts.region_encoders.pooled_regions import PooledRegions
from mkbench.concepts.region_encoders.prompted_regions import RegionPrompts

RegionEncoderName = Literal["prompts", "ring", "crop", "masked", "pooled"]
REGION_ENCODERS: tuple[RegionEncoderName, ...] = get_args(RegionEncoderName)

_WITH_FIXED_PROMPTS: Mapping[str, RegionEncoder] = {
    "ring": RegionPrompts(("ring",)),
    "crop": RegionCrops(),
    "masked": MaskedRegions(),
    "pooled": PooledRegions(),
}


def choose_region_encoder(name: RegionEncoderName, prompts: Sequence[str] = PROMPTS) -> RegionEncoder:
    """Return a region encoder by its name.

    Args:
        name: ``prompts``, ``ring`` (the first of the prompts alone), ``crop``, ``masked`` or ``pooled``.
        prompts: images drawn of every part by ``prompts``, out of ``ring``, ``grey`` and ``blur``.

    Raises:
        ValueError: an unknown name or prompt, or prompts for an encoder that has none to choose.

    >>> choose_region_encoder("ring").prompts
    ('ring',)
    """
    if name == "prompts":
        return RegionPrompts(prompts)
    if name not in _WITH_FIXED_PROMPTS:
        raise ValueError(f"region_encoder must be one of {', '.join(REGION_ENCODERS)}, found {name!r}")
    if tuple(prompts) != PROMPTS:
        raise ValueError(f"prompts are for region_encoder 'prompts' alone, found {tuple(prompts)} with {name!r}")
    return _WITH_FIXED_PROMPTS[name]
