"""Random parts, a control: the parts of another explainer, moved to a random place of each image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.concepts.controls import RANDOM
from mkbench.concepts.explainer import PartsExplainer
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.prompts import PROMPTS
from mkbench.concepts.region_encoders import RegionEncoderName


class RandomParts(PartsExplainer):
    """PCA or K-means parts that keep their shapes and areas but lie anywhere.

    All parts of an image are moved together by whole patches, around its edges; the offset is drawn for each image
    from the seed of its group. What comes after, from the prompts to the descriptors, is that of
    :class:`PartsExplainer`. A metric that does not tell an explainer from this one does not measure where parts lie.

    Args:
        of: ``pca`` or ``kmeans``, whose parts are moved.
        num_parts: see :class:`PartsExplainer`, as all that follow.
        topk: as there.
        pool: as there.
        margin: as there.
        prompts: as there.
        transport: as there.
        region_encoder: as there.

    Raises:
        ValueError: as there.

    Example:
        >>> RandomParts().name
        'random'
    """

    def __init__(
        self,
        of: str = "pca",
        *,
        num_parts: int | None = None,
        topk: int | None = None,
        pool: int | None = None,
        margin: float = 0.02,
        prompts: Sequence[str] = PROMPTS,
        transport: bool = True,
        region_encoder: RegionEncoderName = "prompts",
    ) -> None:
        super().__init__(
            of,
            num_parts=num_parts,
            topk=topk,
            pool=pool,
            margin=margin,
            prompts=prompts,
            transport=transport,
            region_encoder=region_encoder,
        )
        self.of, self.name, self.seeded = of, RANDOM, True

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers."""
        return super().settings() | {"of": self.of}

    def _locate(self, context: GroupContext) -> tuple[Tensor, Tensor, int]:
        labels, pixels, unrefined = super()._locate(context)
        images, height, width = labels.shape
        generator = torch.Generator().manual_seed(context.seed)
        offsets = torch.stack([torch.randint(side, (images,), generator=generator) for side in (height, width)], dim=1)
        offsets = offsets.to(labels.device)  # (images, 2), in patches
        size = torch.tensor([pixels.shape[-2] // height, pixels.shape[-1] // width], device=labels.device)
        return roll_each(labels[:, None], offsets)[:, 0], roll_each(pixels, offsets * size), unrefined


def roll_each(maps: Tensor, offsets: Tensor) -> Tensor:
    """Roll the maps of each image around the edges by its own offset.

    Args:
        maps: (B, K, H, W).
        offsets: (B, 2) int64, down and to the right.

    Returns:
        (B, K, H, W).

    Example:
        >>> roll_each(torch.tensor([[[[1, 2, 3]]]]), torch.tensor([[0, 1]])).tolist()
        [[[[3, 1, 2]]]]
    """
    height, width = maps.shape[-2:]
    rows = (torch.arange(height, device=maps.device) - offsets[:, :1]) % height  # (images, height)
    columns = (torch.arange(width, device=maps.device) - offsets[:, 1:]) % width
    moved = maps.gather(2, rows[:, None, :, None].expand_as(maps))
    return moved.gather(3, columns[:, None, None, :].expand_as(maps))
