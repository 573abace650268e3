"""Sentence embeddings of a tiny text model on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mkbench.errors import BackboneError
from mkbench.studies.banks.sentence_encoder import SentenceEncoder

transformers = pytest.importorskip("transformers")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "large", "eyes", "wings"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(tmp_path, safe_serialization=True)
    return tmp_path


def test_embedding_is_the_mean_over_tokens_without_padding(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    together = encoder.encode_text(["wings", "large eyes wings"])
    alone = torch.cat([encoder.encode_text([text]) for text in ("wings", "large eyes wings")])
    assert together.shape == (2, 8)
    assert torch.allclose(together, alone, atol=1e-6)
    assert not torch.allclose(together[0], together[1], atol=1e-3)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model(input_ids=torch.tensor([[2, 6, 3]])).last_hidden_state  # [CLS] wings [SEP]
    assert torch.allclose(together[0], states[0].mean(dim=0), atol=1e-6)


def test_missing_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"Expected a text model of `transformers` with safetensors at .*, found"):
        SentenceEncoder(str(tmp_path / "none"))
