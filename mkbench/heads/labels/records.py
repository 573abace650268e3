"""Records of a head: its texts, its property label, and whether the texts fit it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class HeadTexts:
    """An attention head with the texts that describe what it writes.

    Attributes:
        layer: number of its block, from 0.
        head: its number in the block, from 0.
        texts: its first texts of TEXTSPAN, most important first.
    """

    layer: int
    head: int
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The head in a message.

        >>> HeadTexts(11, 3, ("a street in Lima",)).name
        'layer 11 head 3'
        """
        return f"layer {self.layer} head {self.head}"


@dataclass(frozen=True)
class Source:
    """Source of a label or a judgement.

    Attributes:
        model: the language model, or the rule.
        prompt: what it was asked, None where nothing was.
        reply: what it answered, word for word; None without an answer.
    """

    model: str
    prompt: str | None = None
    reply: str | None = None


@dataclass(frozen=True)
class HeadLabel:
    """Property label of a head.

    Attributes:
        label: normalised, None where there is none.
        source: where it comes from.
        reason: why there is none; None where there is one.
    """

    label: str | None
    source: Source
    reason: str | None = None


@dataclass(frozen=True)
class Judgement:
    """Judgement of the texts of a head: which of them fit its label.

    Attributes:
        fits: for each text; None where it was not judged.
        source: who judged.
        reason: why it was not judged; None where it was.
    """

    fits: tuple[bool, ...] | None
    source: Source
    reason: str | None = None


NO_LABEL, NO_TEXTS = "no label", "no texts"


def head_texts(
    indices: Tensor, pool: Sequence[str], *, layers: Sequence[int], num_texts: int = 5
) -> tuple[HeadTexts, ...]:
    """Look up the first texts of every head.

    Args:
        indices: (G, m) int64, the texts that TEXTSPAN chose for each head, most important first, layer by layer;
            -1 where none was left, which is left out.
        pool: the texts that it chose from.
        layers: the L numbers of the blocks; each has G / L heads.
        num_texts: how many texts of a head to keep, at most m.

    Returns:
        G heads.

    Raises:
        ValueError: if shapes do not fit, or an index lies outside the pool.

    Example:
        >>> import torch
        >>> heads = head_texts(torch.tensor([[1, 0], [2, 1]]), ["red", "a street", "two"], layers=[11], num_texts=1)
        >>> [(head.layer, head.head, head.texts) for head in heads]
        [(11, 0, ('a street',)), (11, 1, ('two',))]
    """
    if indices.ndim != 2 or not layers or len(indices) % len(layers) or not 1 <= num_texts <= indices.shape[1]:
        raise ValueError(
            f"expected indices (heads, texts) of {len(layers)} layers and at least {num_texts} texts, found "
            f"{tuple(indices.shape)}"
        )
    if indices.numel() and not -1 <= int(indices.min()) <= int(indices.max()) < len(pool):
        raise ValueError(f"indices must lie in -1..{len(pool) - 1}, found {int(indices.min())}..{int(indices.max())}")
    heads = len(indices) // len(layers)
    places = [(layer, head) for layer in layers for head in range(heads)]
    return tuple(
        HeadTexts(layer, head, tuple(pool[index] for index in chosen[:num_texts] if index >= 0))
        for (layer, head), chosen in zip(places, indices.tolist(), strict=True)
    )
