"""Text embeddings of classes: prompts, own descriptors, and mined descriptors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.descriptions import describe_class, description_vectors, own_descriptors
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import UsageError
from mkbench.systems.text_cache import TextCache


def find_own_descriptors(data: ClassGroupDataModule) -> list[tuple[int, ...]]:
    """Return the ids of every class's own descriptors, looked up by the class's name; none for classes without.

    Raises:
        UsageError: a bank without classes, or without any class of the data.
    """
    bank, names = data.bank, data.class_names
    if bank.by_class is None:
        raise UsageError(
            f"Expected a concept bank with the descriptors of each class, found a list in {bank.source}; give JSON "
            "{class: [descriptors]} with --data.bank."
        )
    own = own_descriptors(bank, names)
    if not any(own):
        raise UsageError(
            f"Expected descriptors of classes such as {names[0]!r} in {bank.source}, found none of the {len(names)} "
            f"classes there, but others such as {next(iter(bank.by_class))!r}; give the bank of this data with "
            "--data.bank."
        )
    return own


def embed_descriptions(
    backbone: Backbone,
    class_names: Sequence[str],
    descriptors: Sequence[Sequence[str]],
    template: str,
    cache: TextCache,
) -> tuple[Tensor, Tensor]:
    """Embed every class with each of its descriptors.

    Args:
        backbone: the model.
        class_names: Y names, in class order.
        descriptors: of each class, may be none.
        template: text with ``{class}`` and ``{descriptor}``.
        cache: where embeddings are kept.

    Returns:
        (T, d) unit rows, class by class, and (T,) int64, the class of each.
    """
    pairs = [(index, descriptor) for index, of_class in enumerate(descriptors) for descriptor in of_class]
    owners = torch.tensor([index for index, _ in pairs], dtype=torch.int64, device=backbone.device)
    if not pairs:
        return torch.zeros(0, backbone.embed_dim, device=backbone.device), owners
    texts = [describe_class(template, class_names[index], descriptor) for index, descriptor in pairs]
    return cache.embed_bank(backbone, texts, "{}"), owners


@torch.no_grad()
def description_variants(
    base: Tensor, own: tuple[Tensor, Tensor], mined: tuple[Tensor, Tensor], **controls: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Return what an image is multiplied with for its similarity to every class, in each way of describing them.

    Args:
        base: (Y, d) unit rows, the prompt ensembles; they stand in for classes without descriptors.
        own: descriptions of the classes by their own descriptors, and the class of each.
        mined: likewise by those that were mined for them.
        controls: likewise by others in the place of their own.

    Returns:
        ``base``, ``descriptors``, ``mined`` and the controls by name, each (Y, d) float64.

    Example:
        >>> base = torch.eye(2)
        >>> own, mined = (base[:1], torch.tensor([0])), (base[1:], torch.tensor([0]))
        >>> description_variants(base, own, mined)["mined"].tolist()
        [[0.5, 0.5], [0.0, 1.0]]
    """
    texts, owners = (torch.cat(pair) for pair in zip(own, mined, strict=True))
    described = {"descriptors": own, "mined": (texts, owners), **controls}
    return {"base": base.double()} | {name: description_vectors(*one, base) for name, one in described.items()}
