"""Readers of the attention layers of PyTorch, open_clip and timm: one for each class."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn import Identity, LayerNorm, Linear, Module, MultiheadAttention

from mkbench.backbones.towers.attention import Affine, AttentionProjections, Norm


class RefusalError(Exception):
    """Reason why an image tower cannot be decomposed over heads; becomes a ``BackboneError`` with the model's name."""


def norm_of(module: Module | None) -> Norm | None:
    """Read a layer norm; nothing and an identity are no norm.

    Raises:
        RefusalError: for another kind of norm, which is no linear map up to a factor.

    >>> norm_of(torch.nn.Identity()) is None
    True
    """
    if module is None or isinstance(module, Identity):
        return None
    if not isinstance(module, LayerNorm) or module.weight is None or module.bias is None:
        raise RefusalError(f"it normalises with {type(module).__name__} instead of a LayerNorm with gain and shift")
    return Norm(module.weight, module.bias, module.eps)


def linear_of(layer: Module) -> Affine:
    """Read a linear layer.

    Raises:
        RefusalError: if it is none.

    >>> linear_of(Linear(3, 2)).weight.shape
    torch.Size([2, 3])
    """
    if not isinstance(layer, Linear):
        raise RefusalError(f"it projects with {type(layer).__name__} instead of a linear layer")
    return Affine(layer.weight, layer.bias)


def _joint(weight: Tensor, bias: Tensor | None) -> tuple[Affine, Affine, Affine]:
    biases = (None, None, None) if bias is None else bias.chunk(3)
    query, key, value = (Affine(*pair) for pair in zip(weight.chunk(3), biases, strict=True))
    return query, key, value


def _from_torch(layer: MultiheadAttention) -> AttentionProjections:
    if not layer.batch_first:
        raise RefusalError("its attention takes tokens before images")
    if layer.in_proj_weight is not None:
        projections = _joint(layer.in_proj_weight, layer.in_proj_bias)
    else:  # keys and values of another width than the queries
        biases = (None, None, None) if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
        separate = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
        query, key, value = (Affine(*pair) for pair in zip(separate, biases, strict=True))
        projections = query, key, value
    return AttentionProjections(layer.num_heads, *projections, linear_of(layer.out_proj))


def _from_open_clip(layer: Any) -> AttentionProjections:
    if layer.logit_scale is not None:
        raise RefusalError("its attention compares queries and keys by their cosine")
    query, key, value = _joint(layer.in_proj_weight, layer.in_proj_bias)
    if layer.head_scale is not None:
        factor = layer.head_scale.flatten().repeat_interleave(len(value.weight) // layer.num_heads)  # (H k,)
        value = Affine(value.weight * factor[:, None], None if value.bias is None else value.bias * factor)
    norms = (norm_of(layer.ln_q), norm_of(layer.ln_k), norm_of(layer.ln_inner))
    return AttentionProjections(layer.num_heads, query, key, value, linear_of(layer.out_proj), *norms)


def _timm_norms(layer: Any) -> tuple[Norm | None, Norm | None, Norm | None]:
    if getattr(layer, "gate", None) is not None:
        raise RefusalError("its attention passes through a gate that depends on the image")
    return norm_of(layer.q_norm), norm_of(layer.k_norm), norm_of(getattr(layer, "norm", None))


def _from_timm(layer: Any) -> AttentionProjections:
    projections = _joint(layer.qkv.weight, layer.qkv.bias)
    return AttentionProjections(layer.num_heads, *projections, linear_of(layer.proj), *_timm_norms(layer))


def _from_eva(layer: Any) -> AttentionProjections:
    if layer.qkv is None:
        projections = linear_of(layer.q_proj), linear_of(layer.k_proj), linear_of(layer.v_proj)
    else:
        bias = None if layer.q_bias is None else torch.cat([layer.q_bias, layer.k_bias, layer.v_bias])
        projections = _joint(layer.qkv.weight, bias)
    output, norms = linear_of(layer.proj), _timm_norms(layer)
    return AttentionProjections(layer.num_heads, *projections, output, *norms, rotate=_rotation(layer))


def _rotation(layer: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Turn the patches by their place; the prefix tokens have none."""
    # Where such a tower is, timm is too.
    turn: Callable[..., Tensor] = import_module("timm.layers").apply_rot_embed_cat
    prefix = layer.num_prefix_tokens

    def rotate(states: Tensor, rope: Tensor) -> Tensor:
        half = getattr(layer, "rotate_half", False)
        turned = turn(states[:, :, prefix:], rope.to(states.dtype), half=half)
        return torch.cat([states[:, :, :prefix], turned], dim=2)

    return rotate


def _from_latent_pool(layer: Any) -> AttentionProjections:
    key, value = (
        Affine(*pair) for pair in zip(*(_halves(part) for part in (layer.kv.weight, layer.kv.bias)), strict=True)
    )
    identity = torch.eye(layer.latent_dim, device=layer.latent.device, dtype=layer.latent.dtype)
    query = Affine(identity) if isinstance(layer.q, Identity) else linear_of(layer.q)
    norms = norm_of(layer.q_norm), norm_of(layer.k_norm)
    return AttentionProjections(layer.num_heads, query, key, value, linear_of(layer.proj), *norms)


def _halves(part: Tensor | None) -> tuple[Any, Any]:
    return (None, None) if part is None else part.chunk(2)  # type: ignore[return-value]


#: By library and class: both open_clip and timm call a class of theirs `Attention`.
ATTENTIONS: Mapping[tuple[str, str], Callable[[Any], AttentionProjections]] = {
    ("torch", "MultiheadAttention"): _from_torch,
    ("open_clip", "Attention"): _from_open_clip,
    ("timm", "Attention"): _from_timm,
    ("timm", "EvaAttention"): _from_eva,
    ("timm", "AttentionPoolLatent"): _from_latent_pool,
}


def read_attention(layer: Module) -> AttentionProjections:
    """Read the weights of an attention layer; they stay those of the model.

    Args:
        layer: of PyTorch, open_clip or timm.

    Raises:
        RefusalError: if the class is unknown, or computes more than attention.

    >>> read_attention(MultiheadAttention(8, 2, batch_first=True)).head_width
    4
    """
    kind = type(layer)
    read = ATTENTIONS.get((kind.__module__.partition(".")[0], kind.__name__))
    if read is None:
        raise RefusalError(f"it attends with {kind.__name__}, whose rule is not known")
    return read(layer)
