"""What the attention heads add for many images, kept with the names of the images to search in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mkbench.errors import DataError
from mkbench.files import written_whole
from mkbench.heads.contributions import HeadContributions

#: A layer, counted from 0, and a head of it.
Head = tuple[int, int]
_KIND = "mkbench head bank 1"


def unit_heads(contributions: HeadContributions) -> Tensor:
    """Scale what the heads of each image add so that the embedding of the image has length 1.

    Args:
        contributions: of B images, by token or not.

    Returns:
        (B, L, H, d) or (B, L, T, H, d), the shape of ``contributions.heads``; zeros for an embedding of zeros.

    >>> ones = torch.ones(1, 4)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 1, 4), mlp=torch.zeros(1, 1, 4), initial=0 * ones,
    ...     rest=0 * ones, constant=0 * ones, embedding=ones, attention=torch.ones(1, 1, 1, 1), layers=(0,))
    >>> unit_heads(terms).flatten()
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    lengths = contributions.embedding.norm(dim=-1)  # (B,)
    lengths = torch.where(lengths > 0, lengths, 1)
    return contributions.heads / lengths.view(-1, *[1] * (contributions.heads.ndim - 1))


@dataclass(frozen=True)
class HeadBank:
    """What the heads of some layers add to the unit-length embeddings of many images.

    Attributes:
        heads: (images, L, H, d).
        ids: a name of each image; no two the same.
        layers: the L layers, counted from 0; the published banks hold the last four.
        model: what the contributions were computed with, such as the fingerprint of the model.

    Raises:
        ValueError: for shapes that do not fit, or a name given twice.

    >>> bank = HeadBank(torch.arange(4.0).view(2, 1, 2, 1), ids=("a", "b"), layers=(11,))
    >>> bank.rows([(11, 0), (11, 1)]).tolist(), bank.find("b")
    ([[0.5], [2.5]], 1)
    """

    heads: Tensor
    ids: tuple[str, ...]
    layers: tuple[int, ...]
    model: str = ""

    def __post_init__(self) -> None:
        if self.heads.ndim != 4 or self.heads.shape[:2] != (len(self.ids), len(self.layers)):
            raise ValueError(
                f"Expected heads ({len(self.ids)}, {len(self.layers)}, H, d) of {len(self.ids)} images and "
                f"{len(self.layers)} layers, got {tuple(self.heads.shape)}."
            )
        for name, values in (("image", self.ids), ("layer", self.layers)):
            if len(set(values)) < len(values):
                raise ValueError(f"Expected every {name} once, got one of them twice.")

    @staticmethod
    def from_contributions(contributions: HeadContributions, ids: Sequence[str], *, model: str = "") -> "HeadBank":
        """Collect the contributions of images, scaled to embeddings of length 1.

        Args:
            contributions: of as many images as there are names.
            ids: a name of each image.
            model: what computed them.
        """
        heads = unit_heads(contributions)
        summed = heads.sum(dim=2) if contributions.by_token else heads  # (images, L, H, d)
        return HeadBank(summed, tuple(ids), contributions.layers, model)

    @staticmethod
    def concatenate(banks: Sequence["HeadBank"]) -> "HeadBank":
        """Join the banks of batches.

        Raises:
            ValueError: for no bank, or banks of different layers or models.
        """
        if len({(bank.layers, bank.model) for bank in banks}) != 1:
            raise ValueError("Expected banks of the same layers of one model.")
        ids = tuple(name for bank in banks for name in bank.ids)
        return HeadBank(torch.cat([bank.heads for bank in banks]), ids, banks[0].layers, banks[0].model)

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, image: str | None) -> int | None:
        """Return the place of an image; None for one that is not there."""
        return self.ids.index(image) if image in self.ids else None

    def rows(self, heads: Sequence[Head]) -> Tensor:
        """Average what some heads add, (images, d).

        Raises:
            ValueError: for no head, or one that is not there.
        """
        return pick_heads(self.heads, heads, layers=self.layers).mean(dim=1)

    def save(self, path: Path) -> None:
        """Write the bank with its names, layers and model as a safetensors file."""
        about = {"kind": _KIND, "ids": list(self.ids), "layers": list(self.layers), "model": self.model}
        with written_whole(path) as part:
            part.write_bytes(save({"heads": self.heads.cpu().contiguous()}, {"mkbench": json.dumps(about)}))

    @staticmethod
    def load(path: Path) -> "HeadBank":
        """Read what ``save`` wrote.

        Raises:
            DataError: if the file is missing, or no such bank.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["mkbench"])
                if about["kind"] != _KIND:
                    raise KeyError(about["kind"])
                heads = file.get_tensor("heads")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"Expected a bank of heads in {path}, found none ({error}); write it again.") from error
        return HeadBank(heads, tuple(about["ids"]), tuple(about["layers"]), about["model"])


def pick_heads(values: Tensor, heads: Sequence[Head], *, layers: Sequence[int]) -> Tensor:
    """Pick heads by their layer and number.

    Args:
        values: (..., L, H, d).
        heads: S pairs of a layer and a head.
        layers: the L layers.

    Returns:
        (..., S, d).

    Raises:
        ValueError: for no head, or one that is not there.

    >>> pick_heads(torch.arange(4.0).view(2, 2, 1), [(9, 1)], layers=(8, 9))
    tensor([[3.]])
    """
    width = values.shape[-2]
    if not heads or any(layer not in layers or not 0 <= head < width for layer, head in heads):
        raise ValueError(f"Expected heads of the layers {list(layers)}, 0 to {width - 1}, got {list(heads)}.")
    places = torch.tensor([list(layers).index(layer) * width + head for layer, head in heads], device=values.device)
    return values.flatten(-3, -2).index_select(-2, places)
