"""Backgrounds of images, in data where they are tied to the classes."""

from typing import Protocol, runtime_checkable

from mkbench.datamodules.sample_subset import SampleSubset
from mkbench.errors import UsageError


@runtime_checkable
class BackgroundSource(Protocol):
    """Source of images with backgrounds: which one an image has, and which one its class is tied to.

    Together the two make the groups of an image, such as land birds on water in Waterbirds (Sagawa et al., ICLR 2020,
    arXiv 1911.08731). Both speak the same words.
    """

    def habitat(self, class_index: int) -> str:
        """Return the background that a class is tied to."""

    def background(self, class_index: int, sample_id: str) -> str | None:
        """Return the background of an image; None where it is not known."""


def find_backgrounds(source: object, *, of: str) -> BackgroundSource:
    """Return what tells the backgrounds of a source, also of a part of it.

    Args:
        source: a source of images.
        of: name of the data, for the message.

    Raises:
        UsageError: it tells none.

    >>> from mkbench.datamodules import Critters
    >>> source = find_backgrounds(Critters(split="background").source, of="critters-background")
    >>> source.habitat(0), source.background(0, "background/blorp/0001")
    ('land', 'water')
    """
    whole = source.source if isinstance(source, SampleSubset) else source
    if not isinstance(whole, BackgroundSource):
        raise UsageError(
            f"Expected data that tells the background of its images, found {of}, which does not; take Critters with "
            "--data.split background, or give the source of the data the methods `habitat` and `background`."
        )
    return whole
