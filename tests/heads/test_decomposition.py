from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from tower_kinds import KINDS, POOLERS, STREAMS, clip, random_images, real

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.heads import Decomposer, HeadContributions, decompose

BOUNDS = {torch.float64: 1e-10, torch.float32: 1e-4}


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def embed(backbone: Backbone, pixels: Tensor) -> Tensor:
    """The model's own embedding, in its own precision."""
    with torch.no_grad():
        embedding: Tensor = backbone.model.encode_image(pixels.to(backbone.dtype), normalize=False)
    return embedding


def check_invariants(backbone: Backbone, pixels: Tensor, bound: float) -> HeadContributions:
    """All that must hold of any decomposition; the rank needs more images than a head is wide."""
    decomposer = Decomposer(backbone)
    terms, by_token = decomposer(pixels), decomposer(pixels, tokens=True)
    expected = embed(backbone, pixels)
    assert terms.heads.dtype == expected.dtype
    for sums in (terms.total(), by_token.total(), terms.embedding):
        assert relative(sums, expected) < bound
    assert relative(by_token.heads.sum(2), terms.heads) < bound
    assert (terms.attention >= 0).all()
    torch.testing.assert_close(terms.attention.sum(-1), torch.ones_like(terms.attention[..., 0]))
    alone = decomposer(pixels[1:2])
    for name in ("heads", "mlp", "initial", "constant", "attention"):
        if getattr(terms, name)[1:2].any():
            assert relative(getattr(alone, name), getattr(terms, name)[1:2]) < bound, name
    return terms


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", BOUNDS)
def test_terms_of_every_kind_of_tower(kind: str, dtype: torch.dtype) -> None:
    backbone = KINDS[kind]().to(dtype)
    terms = check_invariants(backbone, random_images(backbone, 3), BOUNDS[dtype])
    assert not terms.rest.any()
    assert terms.heads.norm() > 0.05 * terms.embedding.norm()  # the heads matter: no test of zeros


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_adds_within_a_space_of_its_own_width(kind: str) -> None:
    backbone = KINDS[kind]().double()
    decomposer = Decomposer(backbone)
    heads = decomposer(random_images(backbone, 3 * decomposer.head_width)).heads.permute(1, 2, 0, 3)  # (L, H, B, d)
    assert (torch.linalg.matrix_rank(heads, rtol=1e-9) == decomposer.head_width).all()
    basis = torch.stack([decomposer.basis(layer) for layer in range(decomposer.num_layers)])  # (L, H, k, d)
    both = torch.cat([heads, basis], dim=2)
    assert (torch.linalg.matrix_rank(both, rtol=1e-9) == decomposer.head_width).all()


@pytest.mark.parametrize("kind", STREAMS)
def test_layers_not_asked_for_are_the_rest(kind: str) -> None:
    backbone = KINDS[kind]().double()
    pixels = random_images(backbone, 2)
    every, some = decompose(backbone, pixels), decompose(backbone, pixels, layers=[-1, 0])
    assert some.layers == (2, 0)
    torch.testing.assert_close(some.heads, every.heads[:, [2, 0]])
    torch.testing.assert_close(some.attention, every.attention[:, [2, 0]])
    torch.testing.assert_close(some.mlp, every.mlp)
    torch.testing.assert_close(some.initial, every.initial)
    torch.testing.assert_close(some.rest + some.constant, every.heads[:, 1].sum(1) + every.constant)
    assert relative(some.total(), every.embedding) < 1e-10


def by_hand(backbone: Backbone, image: Tensor) -> Tensor:
    """The definition, term by term: head h of layer l on token n adds to the class token of one image; (L, T, H, d)."""
    visual = backbone.model.visual
    stream = visual._embeds(image[None])[0]  # (T, D)
    terms = []
    for block in visual.transformer.resblocks:
        normed, layer = block.ln_1(stream), block.attn
        width = layer.head_dim
        query, key, value = (normed @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=1)
        scale = getattr(block.ls_1, "gamma", torch.ones(1))
        tokens = []
        for n in range(len(stream)):
            heads = []
            for head in range(layer.num_heads):
                own = slice(head * width, (head + 1) * width)
                weight = torch.softmax(key[:, own] @ query[0, own] / math.sqrt(width), dim=0)[n]
                heads.append(weight * (layer.out_proj.weight[:, own] @ value[n, own]) * scale)
            tokens.append(torch.stack(heads))
        terms.append(torch.stack(tokens))
        stream = block(stream[None])[0]
    last = stream[0]
    norm = visual.ln_post
    deviation = (last.var(correction=0) + norm.eps).sqrt()
    stacked = torch.stack(terms)  # (L, T, H, D)
    linear: Tensor = (stacked - stacked.mean(-1, keepdim=True)) * norm.weight / deviation @ visual.proj
    return linear


@pytest.mark.parametrize("kind", ["plain", "LayerScale, no ln_pre"])
def test_every_term_is_the_definition(kind: str) -> None:
    backbone = KINDS[kind]().double()
    pixels = random_images(backbone, 2)
    terms = decompose(backbone, pixels, tokens=True)
    for image in range(2):
        with torch.no_grad():
            expected = by_hand(backbone, pixels[image])
        torch.testing.assert_close(terms.heads[image], expected)


def test_mlp_and_initial_terms_are_the_definition() -> None:
    backbone = clip(ls_init_value=0.1).double()
    visual, pixels = backbone.model.visual, random_images(backbone, 2)
    terms = decompose(backbone, pixels)
    with torch.no_grad():
        stream = visual._embeds(pixels)
        rows = [stream[:, 0]]
        for block in visual.transformer.resblocks:
            after = stream + block.ls_1(block.attention(block.ln_1(stream)))
            stream = block(stream)
            rows.append((stream - after)[:, 0])
        last = stream[:, 0]
        deviation = (last.var(-1, correction=0, keepdim=True) + visual.ln_post.eps).sqrt()
        linear = [(r - r.mean(-1, keepdim=True)) * visual.ln_post.weight / deviation @ visual.proj for r in rows]
    torch.testing.assert_close(terms.initial, linear[0])
    torch.testing.assert_close(terms.mlp, torch.stack(linear[1:], 1))


def test_attention_is_that_of_the_layer() -> None:
    backbone = clip().double()
    block = backbone.model.visual.transformer.resblocks[1]
    seen: list[Tensor] = []
    handle = block.ln_1.register_forward_hook(lambda _, __, output: seen.append(output))
    terms = decompose(backbone, random_images(backbone, 2))
    handle.remove()
    with torch.no_grad():
        own = block.attn(*[seen[0]] * 3, need_weights=True, average_attn_weights=False)[1]
    torch.testing.assert_close(terms.attention[:, 1], own[:, :, 0])


def test_averaged_attention_is_that_of_the_layer() -> None:
    backbone = KINDS["CLIPA"]().double()
    block = backbone.model.visual.transformer.resblocks[0]
    seen: list[Tensor] = []
    handle = block.ln_1.register_forward_hook(lambda _, __, output: seen.append(output))
    terms = decompose(backbone, random_images(backbone, 2))
    handle.remove()
    with torch.no_grad():
        own = block.attn(*[seen[0]] * 3, need_weights=True, average_attn_weights=False)[1]
    torch.testing.assert_close(terms.attention[:, 0], own[:, :, 1:].mean(2))


def test_tokens_are_the_patches_in_raster_order() -> None:
    backbone = clip(layers=1).double()
    plain = torch.zeros(1, 3, 32, 32)
    marked = plain.clone()
    marked[:, :, 8:16, 24:32] = 3.0  # row 1, column 3 of a 4 x 4 grid: patch 7, after the class token
    change = decompose(backbone, marked, tokens=True).heads - decompose(backbone, plain, tokens=True).heads
    assert int(change[0, 0].norm(dim=(1, 2)).argmax()) == 8


@pytest.mark.parametrize("kind", POOLERS)
def test_poolers_have_one_layer_and_no_stream(kind: str) -> None:
    backbone = POOLERS[kind]()
    decomposer = Decomposer(backbone)
    terms = decomposer(random_images(backbone, 2), tokens=True)
    assert decomposer.num_layers == 1
    assert terms.heads.shape == (2, 1, 16 + ("SigLIP" not in kind), 2 + (kind == "PE"), 12)
    assert not terms.initial.any()
    assert terms.mlp.any() == ("CoCa" not in kind)


def test_bytes_are_normalised_like_those_of_the_model() -> None:
    backbone = clip()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    terms = decompose(backbone, pixels)
    torch.testing.assert_close(terms.embedding, backbone.encode_image(pixels))  # hooks may choose other kernels
    assert relative(terms.total(), terms.embedding) < 1e-5


def test_half_precision_models_are_read_in_single() -> None:
    backbone = clip().bfloat16()
    terms = decompose(backbone, random_images(backbone, 2))
    assert terms.heads.dtype == terms.embedding.dtype == torch.float32
    assert relative(terms.total(), terms.embedding) < 0.02  # the model itself rounds to three digits


def test_no_hook_and_no_gradient_stays() -> None:
    backbone = clip()
    terms = decompose(backbone, random_images(backbone, 1))
    assert not terms.heads.requires_grad
    with pytest.raises(ValueError, match="S=32"):
        decompose(backbone, torch.zeros(1, 3, 31, 31))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in backbone.modules())


@pytest.mark.parametrize(
    ("layers", "message"),
    [([3], r"layers of 0 to 2 for tiny, got \[3\]"), ([-4], "got"), ([], "got"), ([0, -3], "at most once")],
)
def test_layers_that_cannot_be_had(layers: list[int], message: str) -> None:
    backbone = clip()
    with pytest.raises(ValueError, match=message):
        decompose(backbone, random_images(backbone, 1), layers=layers)


REAL = [
    "ViT-B-32",
    "ViT-B-16",
    "ViT-L-14",
    "ViT-M-16-alt",  # LayerScale
    "ViT-L-14-CLIPA",
    "coca_ViT-B-32",
    "ViT-B-16-SigLIP",
    "PE-Core-S-16-384",
    "MobileCLIP-B",
    "EVA02-B-16",
    "vit_medium_patch16_gap_256",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_terms_of_real_architectures(name: str) -> None:
    backbone = real(name)
    pixels = random_images(backbone, 2)
    single = check_invariants(backbone, pixels, 1e-4)
    double = check_invariants(backbone.double(), pixels, 1e-10)
    assert relative(single.heads.double(), double.heads) < 1e-3


@pytest.mark.slow
def test_rank_of_a_real_head() -> None:
    backbone = real("ViT-B-32").double()
    heads = decompose(backbone, random_images(backbone, 80), layers=[0, -1]).heads.permute(1, 2, 0, 3)  # (L, H, B, d)
    assert heads.shape == (2, 12, 80, 512)
    assert (torch.linalg.matrix_rank(heads, rtol=1e-9) == 64).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["critters-vit-s", "critters-vit-m", "critters-vit-l"])
def test_terms_of_the_bundled_models(name: str) -> None:
    backbone = load_backbone(name)
    pixels = random_images(backbone, 80)
    check_invariants(backbone, pixels[:4], 1e-4)
    backbone.double()
    terms = check_invariants(backbone, pixels[:4], 1e-10)
    assert terms.heads.shape[-1] == backbone.embed_dim
    heads = decompose(backbone, pixels, layers=[-1]).heads[:, 0].transpose(0, 1)  # (H, B, d)
    assert (torch.linalg.matrix_rank(heads, rtol=1e-9) == Decomposer(backbone).head_width).all()
