"""Region encoders: the embedding of a part, from three prompted images to no forward pass at all."""

from mkbench.concepts.region_encoders.base import EncodedRegions, RegionEncoder, Regions
from mkbench.concepts.region_encoders.choose_encoder import REGION_ENCODERS, RegionEncoderName, choose_region_encoder
from mkbench.concepts.region_encoders.cropped_regions import RegionCrops
from mkbench.concepts.region_encoders.embedded_parts import embed_parts
from mkbench.concepts.region_encoders.masked_regions import MaskedRegions
from mkbench.concepts.region_encoders.pooled_regions import PooledRegions
from mkbench.concepts.region_encoders.prompted_regions import RegionPrompts

__all__ = [
    "REGION_ENCODERS",
    "EncodedRegions",
    "MaskedRegions",
    "PooledRegions",
    "RegionCrops",
    "RegionEncoder",
    "RegionEncoderName",
    "RegionPrompts",
    "Regions",
    "choose_region_encoder",
    "embed_parts",
]
