from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch

from mkbench.backbones import OpenClipBackbone, load_backbone
from mkbench.backbones.text_towers import embed_tokens


def unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows.double(), dim=1)


def lengths_seen(transformer: torch.nn.Module, model: Any, tokens: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """Embed tokens and note how long the sequences in the transformer are."""
    seen: list[int] = []
    handle = transformer.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    with torch.no_grad():
        embedding = embed_tokens(model, tokens)
    handle.remove()
    return embedding, seen


def test_a_batch_is_cut_to_its_longest_text() -> None:
    model = load_backbone("ViT-B-32", random_weights=True).model
    texts = ["", "cat", "a photo showing round ears", "two words"]
    tokens = open_clip.tokenize(texts)
    embedding, seen = lengths_seen(model.transformer, model, tokens)
    with torch.no_grad():
        expected = model.encode_text(tokens)
    assert seen == [7]  # start, five words, end
    torch.testing.assert_close(unit(embedding), unit(expected), rtol=0, atol=1e-6)


def test_truncated_texts_keep_the_whole_context() -> None:
    model = load_backbone("ViT-B-32", random_weights=True).model
    tokens = open_clip.tokenize(["cat", "dog " * 90])
    embedding, seen = lengths_seen(model.transformer, model, tokens)
    with torch.no_grad():
        expected = model.encode_text(tokens)
    assert seen == [77]
    torch.testing.assert_close(unit(embedding), unit(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        pytest.param({}, 4, id="causal"),
        pytest.param({"proj_bias": True}, 4, id="projection with a bias"),
        pytest.param({"proj_type": "none"}, 4, id="no projection"),
        pytest.param({"pool_type": "last"}, 8, id="reads the last place"),
        pytest.param({"no_causal_mask": True}, 8, id="attends to padding"),
        pytest.param({"embed_cls": True}, 9, id="class token behind the text"),
    ],
)
def test_custom_text_towers(tiny: Callable[..., OpenClipBackbone], text: dict[str, Any], length: int) -> None:
    base = {"context_length": 8, "vocab_size": 518, "width": 32, "heads": 2, "layers": 2}
    backbone = tiny(custom_text=True, text_cfg={**base, **text})
    tokens = backbone.tokenizer(["", "cat dog", "dog"])
    embedding, seen = lengths_seen(backbone.model.text.transformer, backbone.model, tokens)
    with torch.no_grad():
        expected = backbone.model.encode_text(tokens)
    assert seen == [length]
    torch.testing.assert_close(unit(embedding), unit(expected), rtol=0, atol=1e-6)
