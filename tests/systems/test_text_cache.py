import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import Tensor

from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.concepts import bank_embeddings
from mkbench.systems.text_cache import TextCache, cache_folder

TEXTS = ["round ears", "a long tail", "wings"]


class CountingBackbone(Backbone):
    """Counts the texts that it encodes; a text of more than nine letters counts as truncated."""

    def __init__(self, weight: float = 1.0, tokens: str = "") -> None:
        geometry = Geometry(size=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        super().__init__(name="counting", geometry=geometry, grid=(2, 2), embed_dim=3, feature_dim=3)
        self.weight = torch.nn.Parameter(torch.tensor(weight))
        self.tokens, self.encoded = tokens, 0

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        self.encoded += len(texts)
        self.truncated_texts += sum(len(text) > 9 for text in texts)
        return torch.tensor([[len(text), float(self.weight), ord(text[0])] for text in texts])

    def token_digest(self, texts: Sequence[str]) -> str:
        return self.tokens

    def encode_image(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        raise NotImplementedError


def embed(cache: TextCache, backbone: Backbone, texts: Sequence[str] = TEXTS, template: str = "{}") -> Tensor:
    return cache.embed(backbone, texts, [template], lambda: bank_embeddings(backbone, texts, template))


def test_second_run_reads_the_same_embeddings(tmp_path: Path) -> None:
    first, second = CountingBackbone(), CountingBackbone()
    computed = embed(TextCache(tmp_path), first)
    kept = embed(TextCache(tmp_path), second)
    assert torch.equal(computed, kept)
    assert (first.encoded, second.encoded) == (3, 0)
    assert first.truncated_texts == second.truncated_texts == 2  # "round ears" and "a long tail"


@pytest.mark.parametrize(
    ("backbone", "texts", "template"),
    [
        pytest.param(CountingBackbone(weight=2.0), TEXTS, "{}", id="weights"),
        pytest.param(CountingBackbone(tokens="other vocabulary"), TEXTS, "{}", id="tokenizer"),
        pytest.param(CountingBackbone(), [*TEXTS[1:], TEXTS[0]], "{}", id="order of the bank"),
        pytest.param(CountingBackbone(), TEXTS, "a photo showing {}", id="template"),
    ],
)
def test_anything_else_is_computed(tmp_path: Path, backbone: CountingBackbone, texts: list[str], template: str) -> None:
    embed(TextCache(tmp_path), CountingBackbone())
    embed(TextCache(tmp_path), backbone, texts, template)
    assert backbone.encoded == len(texts)
    assert len(list(tmp_path.iterdir())) == 2


def test_digits_of_another_torch_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(TextCache(tmp_path), CountingBackbone())
    later = CountingBackbone()
    monkeypatch.setattr(torch, "__version__", "2.4.0")
    embed(TextCache(tmp_path), later)
    assert later.encoded == 3


def test_no_folder_keeps_nothing(tmp_path: Path) -> None:
    backbone = CountingBackbone()
    for _ in range(2):
        embed(TextCache(None), backbone)
    assert backbone.encoded == 6


def test_foreign_file_under_the_right_name_is_recognised(tmp_path: Path) -> None:
    embed(TextCache(tmp_path), CountingBackbone())
    (own,) = tmp_path.iterdir()
    embed(TextCache(tmp_path / "other"), CountingBackbone(weight=2.0))
    (foreign,) = (tmp_path / "other").iterdir()
    own.write_bytes(foreign.read_bytes())
    backbone = CountingBackbone()
    with pytest.warns(UserWarning, match="found other embeddings; computing them again"):
        embed(TextCache(tmp_path), backbone)
    assert backbone.encoded == 3
    again = CountingBackbone()
    embed(TextCache(tmp_path), again)  # the file was replaced
    assert again.encoded == 0


def test_changed_numbers_are_recognised(tmp_path: Path) -> None:
    embed(TextCache(tmp_path), CountingBackbone())
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the last number's last byte
    path.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="found other embeddings"):
        embed(TextCache(tmp_path), CountingBackbone())


@pytest.mark.parametrize("keep", [0, 7, 100])
def test_torn_file_is_recognised(tmp_path: Path, keep: int) -> None:
    computed = embed(TextCache(tmp_path), CountingBackbone())
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.warns(UserWarning, match="found a damaged file"):
        assert torch.equal(embed(TextCache(tmp_path), CountingBackbone()), computed)


def test_folder_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match=r"cannot be written .*--model.text_cache"):
        assert embed(TextCache(tmp_path / "file"), CountingBackbone()).shape == (3, 3)


def test_automatic_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("auto") == tmp_path / "mkbench" / "text"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("auto") == tmp_path / ".cache" / "mkbench" / "text"


def test_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert cache_folder("auto") is None
    assert cache_folder("~nobody-of-this-name/cache") == Path("~nobody-of-this-name/cache")
