"""ImageNet 2012 class names, all 1000."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def load_imagenet_classes() -> Mapping[str, str]:
    """Return WordNet id -> class name of the 1000 classes, in class order, which is that of the sorted ids.

    >>> list(load_imagenet_classes().items())[0]
    ('n01440764', 'tench')
    """
    # The ids are those of the challenge, as timm lists them (imagenet_synsets.txt); the names are the ones curated by
    # the authors of CLIP, as open_clip lists them in the same order (IMAGENET_CLASSNAMES). Two names occur twice there.
    path = resources.files("mkbench") / "assets" / "classes" / "imagenet.tsv"
    return dict(line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
