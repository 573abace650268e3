"""Rules of layer-wise relevance propagation for vision transformers, as gradients of a forward pass."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import LayerNorm
from torch.nn import functional as F


@contextmanager
def relevance_rules(visual: Any) -> Iterator[None]:
    """Let gradient times input be relevance while the context is open; what the tower computes stays the same.

    A product of two activations gives half of its relevance to each. A norm passes all of it on: its deviation counts
    as a constant. So does an activation function f(x), which counts as a constant times x. Linear layers follow the
    epsilon rule with epsilon 0, biases keep what they add, and the softmax follows its first-order expansion, which is
    its gradient.

    Source: Achtibat et al., ICML 2024, arXiv 2402.05602.

    Args:
        visual: open_clip's ``VisionTransformer`` with plain attention.

    >>> import open_clip
    >>> visual = open_clip.create_model("ViT-S-32-alt").visual.eval()
    >>> pixels = torch.zeros(1, 3, 224, 224)
    >>> plain = visual(pixels)
    >>> with relevance_rules(visual):
    ...     torch.allclose(visual(pixels), plain, atol=1e-4)
    True
    """
    blocks = visual.transformer.resblocks
    with ExitStack() as stack:
        for norm in [module for module in visual.modules() if isinstance(module, LayerNorm)]:
            stack.callback(norm.register_forward_hook(_norm).remove)
        for block in blocks:
            stack.callback(block.mlp.gelu.register_forward_hook(_activate).remove)
            stack.callback(block.attn.register_forward_hook(_attend).remove)
        yield


def halve_gradient(values: Tensor) -> Tensor:
    """Return the same values, through which half of the gradient passes.

    >>> values = torch.ones(1, requires_grad=True)
    >>> torch.autograd.grad(3 * halve_gradient(values), values)
    (tensor([1.5000]),)
    """
    half = values / 2
    return half + half.detach()


def _norm(module: Any, inputs: tuple[Tensor, ...], _: object) -> Tensor:
    rows = inputs[0]
    scale = (rows.var(dim=-1, correction=0, keepdim=True) + module.eps).rsqrt().detach()
    normed: Tensor = (rows - rows.mean(dim=-1, keepdim=True)) * scale * module.weight + module.bias
    return normed


def _activate(_: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    given = inputs[0]
    factor = torch.where(given == 0, 0, output / given)
    return given * factor.detach()


def _attend(layer: Any, inputs: tuple[Tensor, ...], _: object) -> tuple[Tensor, None]:
    joint = F.linear(inputs[0], layer.in_proj_weight, layer.in_proj_bias)  # (B, T, 3C)
    heads = joint.reshape(*joint.shape[:2], 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = halve_gradient(heads)  # (B, H, T, C / H)
    weights = halve_gradient((query @ key.mT / math.sqrt(query.shape[-1])).softmax(dim=-1))
    return layer.out_proj((weights @ value).transpose(1, 2).flatten(2)), None
