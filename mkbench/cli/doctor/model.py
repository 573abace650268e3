"""Doctor checks of a loaded model: weights, geometry and embeddings."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone, model_entries
from mkbench.cli.doctor.findings import Remark, counted, ok, problem, warning
from mkbench.systems.timing import rendered_group

#: Any two texts that no encoder should take for the same.
TEXTS = ("a photo of an owl on a branch at night", "two red bicycles in front of a shop")
#: Cosine from which two embeddings count as the same; beyond it only rounding is left in fp32.
_SAME = 1 - 1e-6


def check_model(backbone: Backbone, *, resize: str | None) -> Iterator[Remark]:
    """Remark on a loaded model.

    Args:
        backbone: the model.
        resize: how the data will be resized, ``squash`` or ``model``; None if that is not known.
    """
    yield ok(
        f"{_weights(backbone)} with {backbone.num_parameters / 1e6:.1f} M parameters and a joint space of "
        f"{backbone.embed_dim} dimensions can be loaded; results call the model {backbone.name}"
    )
    if backbone.random_weights:
        yield warning(
            "the weights are random: no number of this run is a measurement; name real ones with --model.backbone and "
            "--model.random_weights false"
        )
    yield _geometry(backbone, resize)
    if backbone.context_length is None:
        yield warning(
            "the model does not say how long its texts may be (context_length, count_tokens), so that texts it would "
            "cut short cannot be counted here"
        )
    else:
        yield ok(f"texts may have up to {backbone.context_length} tokens")
    yield from _check_embeddings(backbone)


def _weights(backbone: Backbone) -> str:
    if backbone.random_weights:
        return "random weights"
    entry = next((entry for entry in model_entries() if entry.name == backbone.name), None)
    if entry is not None and entry.bundled:
        return "bundled weights"
    if entry is not None:
        return f"open_clip's weights {entry.pretrained} of {entry.architecture}"
    architecture, _, tag = backbone.name.partition(",")
    return f"open_clip's weights {tag} of {architecture}" if tag else "weights of your own"


def _geometry(backbone: Backbone, resize: str | None) -> Remark:
    geometry, (rows, columns) = backbone.geometry, backbone.grid
    own = f"the weights' own resizing ({geometry.resize_mode}, {geometry.interpolation})"
    resizing = {"squash": "squashed to a square as published", "model": own}.get(resize or "", own)
    mean, std = (" ".join(f"{value:.3f}" for value in values) for values in (geometry.mean, geometry.std))
    return ok(
        f"images of {geometry.size} x {geometry.size} pixels, {resizing}; mean {mean}, deviation {std}; "
        f"{rows} x {columns} patches of width {backbone.feature_dim}"
    )


def _check_embeddings(backbone: Backbone) -> Iterator[Remark]:
    """Encode two texts and two images."""
    rendered = rendered_group(2, backbone.image_size, backbone.device).images
    with torch.no_grad():
        embeddings = {"texts": backbone.encode_text(list(TEXTS)), "images": backbone.encode_image(rendered)}
    norms = []
    for kind, pair in embeddings.items():
        fault = embedding_fault(pair.double(), backbone.embed_dim)
        if fault is not None:
            yield problem(
                f"two different {kind} have embeddings {fault}; the weights are damaged or do not fit the "
                "architecture: fetch them again, and try --model.precision 32"
            )
        norms.append(f"{pair.double().norm(dim=1).mean():.3g} ({kind})")
    yield ok(f"embeddings of length {' and '.join(norms)}, from {counted(2, 'text')} and {counted(2, 'image')}")


def embedding_fault(pair: Tensor, dim: int) -> str | None:
    """Say what is wrong with the embeddings of two different things; None if nothing is.

    Args:
        pair: (2, d) embeddings, not normalised.
        dim: width d that they should have.

    >>> embedding_fault(torch.eye(2), 2) is None
    True
    >>> embedding_fault(torch.ones(2, 2), 2)
    'that are the same'
    """
    if tuple(pair.shape) != (2, dim):
        return f"of shape {tuple(pair.shape)} instead of {(2, dim)}"
    if not bool(pair.isfinite().all()):
        return "that are not finite"
    if not bool((pair.norm(dim=1) > torch.finfo(torch.float16).tiny).all()):
        return "of length 0"
    if float(F.cosine_similarity(pair[:1], pair[1:])) > _SAME:
        return "that are the same"
    return None
