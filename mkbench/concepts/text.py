"""Text embeddings of classes and of the concept bank (steps 8 to 10 of the pipeline)."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.concepts.templates import PLACE, is_template


class TextEncoder(Protocol):
    """Text encoder: the half of a backbone that reads text."""

    def encode_text(self, texts: list[str], /) -> Tensor:
        """Encode T texts into (T, d) embeddings, not normalised."""
        ...


Report = Callable[[int], object]

#: Embeddings of filled class templates held at once, before their mean: more than 1,000 classes in 80 templates have.
_TEXTS_AT_ONCE = 2**17


def _encode(backbone: TextEncoder, texts: list[str], *, batch_size: int, report: Report | None) -> Tensor:
    """(T, d) float32 unit rows; each distinct text is encoded once, in batches of texts of like length."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
    if not texts:
        raise ValueError("there must be at least one text to encode, found none")
    distinct = sorted(dict.fromkeys(texts), key=len)  # encoders cut a batch to its longest text
    rows = []
    with torch.no_grad():
        for start in range(0, len(distinct), batch_size):
            batch = distinct[start : start + batch_size]
            rows.append(unit_rows(backbone.encode_text(batch).float()))  # one copy less of all of them
            if report is not None:
                report(len(batch))
    embeddings = torch.cat(rows)
    rows.clear()
    require_finite(embeddings, name="text embeddings")
    place = {text: row for row, text in enumerate(distinct)}
    return embeddings[[place[text] for text in texts]]


def _fill(template: str, name: str) -> str:
    # Not str.format: a class or descriptor may hold braces of its own.
    if not is_template(template):
        raise ValueError(f"a template must contain one {{}} where the name goes, found {template!r}")
    return template.replace(PLACE, name)


def class_embeddings(
    backbone: TextEncoder,
    class_names: Sequence[str],
    templates: Sequence[str],
    *,
    batch_size: int = 256,
    report: Report | None = None,
) -> Tensor:
    """Embed every class as the normalised mean over prompt templates.

    Every filled template is encoded once, normalised, averaged over the templates, and normalised again.

    Source: Radford et al., ICML 2021 (prompt ensembling), as in Sammani & Deligiannis, arXiv 2410.13016.

    Args:
        backbone: what encodes the texts.
        class_names: Y names, in class order.
        templates: one or more texts with `{}` where the name goes.
        batch_size: texts per call of the encoder.
        report: called after each batch with the number of its texts; all batches together hold each distinct text once.

    Returns:
        (Y, d) float32 unit rows.

    Raises:
        ValueError: if there is no class or template, a template is none, or the embeddings are not finite.

    Example:
        >>> class Lengths:
        ...     def encode_text(self, texts):
        ...         return torch.tensor([[float(len(text)), 0.0] for text in texts])
        >>> class_embeddings(Lengths(), ["cat", "dog"], ["a {}.", "the {}."]).tolist()
        [[1.0, 0.0], [1.0, 0.0]]
    """
    names = list(dict.fromkeys(class_names))
    step = max(1, _TEXTS_AT_ONCE // max(1, len(templates)))
    means = []
    for start in range(0, max(1, len(names)), step):
        texts = [_fill(template, name) for name in names[start : start + step] for template in templates]
        embeddings = _encode(backbone, texts, batch_size=batch_size, report=report)  # (some classes * templates, dim)
        means.append(embeddings.reshape(-1, len(templates), embeddings.shape[1]).mean(dim=1))
    place = {name: row for row, name in enumerate(names)}
    return unit_rows(torch.cat(means))[[place[name] for name in class_names]]


def bank_embeddings(
    backbone: TextEncoder,
    descriptors: Sequence[str],
    template: str,
    *,
    batch_size: int = 256,
    report: Report | None = None,
) -> Tensor:
    """Embed every descriptor of the bank in one template.

    Args:
        backbone: what encodes the texts.
        descriptors: D descriptors, in bank order.
        template: text with `{}` where the descriptor goes; `{}` alone is the bare descriptor.
        batch_size: texts per call of the encoder.
        report: called after each batch with the number of its texts; all batches together hold each distinct text once.

    Returns:
        (D, d) float32 unit rows.

    Raises:
        ValueError: if there is no descriptor, the template is none, or the embeddings are not finite.

    Example:
        >>> class Lengths:
        ...     def encode_text(self, texts):
        ...         return torch.tensor([[float(len(text)), 0.0] for text in texts])
        >>> bank_embeddings(Lengths(), ["round ears", "a tail"], "a photo showing {}").tolist()
        [[1.0, 0.0], [1.0, 0.0]]
    """
    return _encode(backbone, [_fill(template, text) for text in descriptors], batch_size=batch_size, report=report)
