"""Text towers of open_clip without the padding that no embedding depends on."""

from typing import Any

import open_clip
import torch
from open_clip.transformer import TextTransformer
from torch import Tensor


def embed_tokens(model: Any, tokens: Tensor) -> Tensor:
    """Embed tokenised texts; padding behind the longest text is left out where that cannot matter.

    In a causal text tower that reads its last token (the one of the highest number), nothing behind that token reaches
    the embedding. Towers of any other kind, such as those that attend to padding, embed the tokens as they are.

    Args:
        model: a model of open_clip.
        tokens: (T, context) int64 tokens, T >= 1.

    Returns:
        (T, d) embeddings, not normalised, in the precision of the model; those of ``model.encode_text`` but for
        rounding.

    >>> model = open_clip.create_model("ViT-S-32-alt").eval()
    >>> tokens = open_clip.tokenize(["a cat", "round ears"])
    >>> with torch.no_grad():
    ...     cut, whole = embed_tokens(model, tokens), model.encode_text(tokens)
    >>> torch.allclose(cut, whole, atol=1e-5)
    True
    """
    tower = _causal_tower(model)
    if tower is None:
        embedding: Tensor = model.encode_text(tokens, normalize=False)
        return embedding
    last = tokens.argmax(dim=1)  # (T,)
    length = int(last.max()) + 1
    dtype = tower.transformer.get_cast_dtype()
    x = tower.token_embedding(tokens[:, :length]).to(dtype) + tower.positional_embedding[:length].to(dtype)
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])  # (T, length, width)
    pooled: Tensor = tower.ln_final(x)[torch.arange(len(x), device=x.device), last]
    projection = tower.text_projection
    if projection is None:
        return pooled
    projected: Tensor = projection(pooled) if isinstance(projection, torch.nn.Module) else pooled @ projection
    return projected


def _causal_tower(model: Any) -> Any:
    """Return the module with the text tower's parts if it is causal and reads its last token, or None."""
    if type(model) is open_clip.CLIP:
        tower, pool = model, model.text_pool_type
    elif type(model) is open_clip.CustomTextCLIP and type(model.text) is TextTransformer:
        tower, pool = model.text, model.text.pool_type
        if tower.cls_emb is not None:
            return None
    else:
        return None
    causal = tower.attn_mask is not None  # open_clip's only mask is the causal one
    return tower if causal and pool == "argmax" else None
