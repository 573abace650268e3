import pytest
import torch

from mkbench.concepts import bank_embeddings, class_embeddings


class Bytes:
    """An encoder whose embedding of a text is its first four bytes; it remembers what it was asked."""

    def __init__(self):
        self.calls = []

    def encode_text(self, texts):
        self.calls.append(texts)
        return torch.tensor([list(text.encode()[:4].ljust(4)) for text in texts], dtype=torch.float64)


def unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_class_embeddings_average_unit_rows_over_templates():
    names, templates = ["cat", "owl", "bat"], ["{} a", "the {}"]
    texts = [["cat a", "the cat"], ["owl a", "the owl"], ["bat a", "the bat"]]
    expected = unit(torch.stack([unit(Bytes().encode_text(pair)).mean(dim=0) for pair in texts]))
    result = class_embeddings(Bytes(), names, templates)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected.float())


def test_all_texts_go_through_in_full_batches():
    encoder = Bytes()
    batched = class_embeddings(encoder, ["a", "b", "c"], ["{}", "{}!", "{}?"], batch_size=4)
    assert [len(call) for call in encoder.calls] == [4, 4, 1]
    assert encoder.calls[0] == ["a", "b", "c", "a!"]  # short texts first: a batch is as long as its longest text
    torch.testing.assert_close(batched, class_embeddings(Bytes(), ["a", "b", "c"], ["{}", "{}!", "{}?"]))


def test_each_distinct_text_is_encoded_once_and_keeps_its_place():
    encoder, counts = Bytes(), []
    texts = ["long text", "b", "long text", "", "b"]
    result = bank_embeddings(encoder, texts, "{}", batch_size=2, report=counts.append)
    assert encoder.calls == [["", "b"], ["long text"]]
    assert counts == [2, 1]
    torch.testing.assert_close(result, unit(Bytes().encode_text(texts)).float())


def test_bank_embeddings_fill_the_template():
    encoder = Bytes()
    result = bank_embeddings(encoder, ["wings", "a {odd} tail"], "x {}")
    assert encoder.calls == [["x wings", "x a {odd} tail"]]
    torch.testing.assert_close(result.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_embeddings(Bytes(), ["cat"], ["a photo"]), "must contain one {}"),
        (lambda: class_embeddings(Bytes(), [], ["{}"]), "at least one text"),
        (lambda: class_embeddings(Bytes(), ["cat"], []), "at least one text"),
        (lambda: bank_embeddings(Bytes(), ["cat"], "{}", batch_size=0), "batch_size must be at least 1"),
    ],
)
def test_wrong_texts_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_broken_encoders_are_noticed():
    class Broken:
        def encode_text(self, texts):
            return torch.full((len(texts), 3), float("nan"))

    with pytest.raises(ValueError, match="text embeddings must be finite"):
        bank_embeddings(Broken(), ["cat"], "{}")


def test_classes_in_pieces_have_the_same_embeddings_and_each_text_is_encoded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Codes:
        def encode_text(self, texts: list[str]) -> torch.Tensor:
            return torch.tensor([[float(ord(text[-1])), float(len(text))] for text in texts])

    names, templates = ["cat", "owl", "cat", "bee", "ant"], ["a {}", "{}", "the {}"]
    whole, seen = class_embeddings(Codes(), names, templates), []
    monkeypatch.setattr("mkbench.concepts.text._TEXTS_AT_ONCE", 6)  # two classes
    assert torch.equal(class_embeddings(Codes(), names, templates, report=seen.append), whole)
    assert seen == [6, 6]
