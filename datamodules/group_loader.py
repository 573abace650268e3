"""DataLoader of class groups, with worker processes where that is wanted."""

import torch
from torch.utils.data import DataLoader

from mkbench.datamodules.class_groups import ClassGroup, ClassGroupDataset
from mkbench.datamodules.worker_processes import prepare_worker


def take_only(groups: list[ClassGroup]) -> ClassGroup:
    """Unwrap a batch of one group; what a DataLoader collates with, so it must be importable by worker processes.

    >>> take_only(["the group"])
    'the group'
    """
    return groups[0]


def group_loader(
    dataset: ClassGroupDataset, *, num_workers: int, device: torch.device | None = None
) -> DataLoader[ClassGroup]:
    """Return the groups of a data set in their order; what the caller draws at random is the same with and without.

    Args:
        dataset: the groups.
        num_workers: most processes that decode images; 0 decodes in the caller's.
        device: where the groups go; for CUDA their memory is pinned, so that nothing waits for the copy.

    >>> from mkbench.backbones import Geometry
    >>> from mkbench.datamodules import Critters
    >>> data = Critters(images_per_class=2, limit_classes=3)
    >>> dataset = data.dataset(Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)), data.specs)
    >>> [group.key for group in group_loader(dataset, num_workers=0)]
    ['00000-000', '00001-000', '00002-000']
    """
    return DataLoader(
        dataset,
        batch_size=1,
        collate_fn=take_only,
        num_workers=min(num_workers, len(dataset)),
        pin_memory=device is not None and device.type == "cuda",
        worker_init_fn=prepare_worker,
        generator=torch.Generator(),  # for the seeds of workers, which would be drawn from the caller's otherwise
    )
