"""Adapter of open_clip models; the model itself stays as open_clip builds it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple, get_args

import open_clip
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones.base import AttentionPass, Backbone, Kind, PatchFeatures, RelevancePass, ValueFeatures
from mkbench.backbones.block_trace import BlockTrace
from mkbench.backbones.deferred_text import DeferredTextTower, needing_hugging_face
from mkbench.backbones.geometry import Geometry
from mkbench.backbones.text_towers import embed_tokens
from mkbench.backbones.towers.attention_maps import expose_attention
from mkbench.backbones.towers.hooks import intercept, watch
from mkbench.backbones.towers.patch_readers import TowerReader, tower_reader
from mkbench.backbones.towers.relevance_rules import relevance_rules
from mkbench.backbones.towers.traced_blocks import trace_open_clip
from mkbench.errors import BackboneError


class DeferredTokenizer(NamedTuple):
    """A tokenizer that is loaded when first asked for.

    Attributes:
        load: loads it.
    """

    load: Callable[[], Any]


class _WatchedPass(NamedTuple):
    """What the watch points of the image tower saw, and the embedding."""

    seen: Mapping[str, Tensor]
    embedding: Tensor  # (B, d)


class OpenClipBackbone(Backbone):
    """An open_clip model with its tokenizer.

    Args:
        model: a model made by ``open_clip.create_model``; put into evaluation mode and frozen.
        tokenizer: a tokenizer of open_clip: a list of texts -> (T, context) token ids; or a function that loads one,
            marked as ``DeferredTokenizer`` and called for the first text.
        name: how results call the model.
        embed_dim: width d of the joint space (``embed_dim`` of the model's configuration).
        random_weights: whether the weights are random.

    Attributes:
        model: the open_clip model, for readers that need its blocks.
        tokenizer: the tokenizer, loaded when first asked for.

    Raises:
        BackboneError: if the image tower is of an unknown kind or its preprocessing cannot be followed.

    >>> model = open_clip.create_model("ViT-S-32-alt", pretrained_text=False)
    >>> backbone = OpenClipBackbone(model, open_clip.get_tokenizer("ViT-S-32-alt"), name="small", embed_dim=256)
    >>> backbone.grid, backbone.feature_dim, sorted(backbone.capabilities)
    ((7, 7), 384, ['class_token', 'heads', 'keys'])
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: Callable[..., Tensor] | DeferredTokenizer,
        *,
        name: str,
        embed_dim: int,
        random_weights: bool = False,
    ) -> None:
        model.eval().requires_grad_(False)
        visual: Any = model.visual
        reader = tower_reader(visual)
        super().__init__(
            name=name,
            geometry=model_geometry(visual.preprocess_cfg),
            grid=reader.grid,
            embed_dim=embed_dim,
            feature_dim=reader.feature_dim,
            capabilities=reader.capabilities,
            random_weights=random_weights,
        )
        self.model: Any = model
        self._given_tokenizer = tokenizer
        self._reader: TowerReader = reader
        self.eval()

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer; loaded when first asked for.

        Raises:
            BackboneError: if it cannot be had.
        """
        given = self._given_tokenizer
        return given.load() if isinstance(given, DeferredTokenizer) else given

    @torch.no_grad()
    def encode_image(self, pixels: Tensor) -> Tensor:
        """Embed images: (B, 3, S, S) -> (B, d) fp32, unnormalised; see ``Backbone``."""
        return self._embed(self.prepare_pixels(pixels))

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed T texts in one batch: -> (T, d) fp32, unnormalised.

        Raises:
            ValueError: for one bare string, whose letters would be taken for texts.
            BackboneError: if the tokenizer or the text tower cannot be had.
        """
        if isinstance(texts, str):
            raise ValueError(f"Expected a list of texts, got the text {texts!r}; put it into a list.")
        if not texts:
            return torch.zeros(0, self.embed_dim, device=self.device)
        tokens: Tensor = self.tokenizer(list(texts))  # (T, context)
        self.truncated_texts += sum(count > tokens.shape[1] for count in self.count_tokens(texts))
        self._build_text_tower()
        return embed_tokens(self.model, tokens.to(self.device)).float()

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels: the stride of the image tower, where it tells it."""
        return self._reader.patch_size or super().patch_size

    @property
    def context_length(self) -> int:
        """Most tokens of a text, those for its start and end included."""
        return int(self.tokenizer([""]).shape[1])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of T texts before truncation, start and end tokens included."""
        if hasattr(self.tokenizer, "encode"):  # open_clip's byte-pair tokenizer adds the start and the end itself
            return [len(self.tokenizer.encode(text)) + 2 for text in texts]
        cleaned = [self.tokenizer.clean_fn(text) for text in texts]
        return [len(ids) for ids in self.tokenizer.tokenizer(cleaned, truncation=False)["input_ids"]]

    def token_digest(self, texts: Sequence[str]) -> str:
        """Hash the tokens of the texts; see ``Backbone``."""
        tokens: Tensor = self.tokenizer(list(texts))  # (T, context)
        return hashlib.sha256(tokens.numpy().tobytes()).hexdigest()

    @torch.no_grad()
    def patch_features(self, pixels: Tensor, kind: Kind = "tokens") -> PatchFeatures:
        """Read patch features and the embedding from one forward pass; see ``Backbone``.

        Raises:
            ValueError: for an unknown kind.
            BackboneError: for keys of a tower that has none.
        """
        return self._read_patches(self._watch_patches(pixels, kind), kind)

    @torch.no_grad()
    def value_features(self, pixels: Tensor, kind: Kind = "tokens") -> ValueFeatures:
        """Read patches in the joint space too; see ``Backbone`` and ``patch_features``."""
        if not self._reader.attention_layers:
            return super().value_features(pixels, kind)
        watched = self._watch_patches(pixels, kind)
        return ValueFeatures(*self._read_patches(watched, kind), self._reader.values(watched.seen).float())

    def embed_through_map(self, pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Embed images while a function replaces the last map; see ``Backbone``.

        The map is the last stage of a convolutional tower, the tokens that enter the last attention of a transformer
        with a class token (what comes after does not reach it), and the last tokens of other transformers.
        """
        reader = self._reader
        with intercept(reader.map_point, lambda passed: reader.change_map(passed, change)):
            return self._embed(self.prepare_pixels(pixels))

    def embed_with_attention(self, pixels: Tensor) -> AttentionPass:
        """Embed images and return the attention weights of every block; see ``Backbone``.

        open_clip does not give them away, so they are computed again from the weights of the blocks.
        """
        if not self._reader.attention_layers:
            return super().embed_with_attention(pixels)
        with expose_attention(self._reader.attention_layers) as steps:
            embedding = self._embed(self.prepare_pixels(pixels))
        return AttentionPass(embedding, tuple(step.weights for step in steps))

    @torch.no_grad()
    def embed_masked(self, pixels: Tensor, masked: Tensor) -> Tensor:
        """Embed images without what some patches give to other tokens; see ``Backbone``."""
        if not self._reader.attention_layers:
            return super().embed_masked(pixels, masked)
        tokens = F.pad(masked, (1, 0))  # (B, T): the class token is never left out
        with expose_attention(self._reader.attention_layers, tokens):
            return self._embed(self.prepare_pixels(pixels))

    def trace_blocks(self, pixels: Tensor) -> BlockTrace:
        """Return what passes the blocks of one forward pass; see ``Backbone``."""
        if not self._reader.attention_layers:
            return super().trace_blocks(pixels)
        return trace_open_clip(self.model.visual, lambda: self._embed(self.prepare_pixels(pixels)))

    def embed_with_relevance(self, pixels: Tensor) -> RelevancePass:
        """Embed images by rules under which gradient times input is relevance; see ``Backbone``."""
        if not self._reader.attention_layers:
            return super().embed_with_relevance(pixels)
        inputs = self.prepare_pixels(pixels).requires_grad_()
        with relevance_rules(self.model.visual):
            return RelevancePass(self._embed(inputs), inputs)

    def _watch_patches(self, pixels: Tensor, kind: Kind) -> _WatchedPass:
        if kind not in get_args(Kind):
            raise ValueError(f"Expected a kind of {get_args(Kind)}, got {kind!r}.")
        if kind != "tokens" and "keys" not in self.capabilities:
            raise BackboneError(f"{self.name} offers no attention keys; ask for patch features of kind 'tokens'.")
        with watch(self._reader.points) as seen:
            return _WatchedPass(seen, self._embed(self.prepare_pixels(pixels)))

    def _read_patches(self, watched: _WatchedPass, kind: Kind) -> PatchFeatures:
        tokens, keys = self._reader.tokens, self._reader.keys
        readers = {"tokens": [tokens], "keys": [keys], "both": [tokens, keys]}[kind]
        features = torch.cat([read(watched.seen) for read in readers], dim=-1)  # (B, N, C) or (B, N, 2C)
        return PatchFeatures(features.float(), watched.embedding)

    def _build_text_tower(self) -> None:
        text = getattr(self.model, "text", None)
        if isinstance(text, DeferredTextTower):
            with needing_hugging_face(f"The text tower of {self.name}"):
                self.model.text = text.build()

    def _embed(self, prepared: Tensor) -> Tensor:
        embedding: Tensor = self.model.encode_image(prepared, normalize=False)
        return embedding.float()


def model_geometry(config: dict[str, Any]) -> Geometry:
    """Translate open_clip's preprocessing configuration.

    Args:
        config: ``model.visual.preprocess_cfg``; a mean or deviation of one number counts for all channels.

    Raises:
        BackboneError: if the images are not square or the values cannot be followed.

    >>> model_geometry({"size": (64, 64), "mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bicubic",
    ...                 "resize_mode": "squash"}).size
    64
    """
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    if height != width:
        raise BackboneError(f"Expected a model of square images, got {height} x {width}; choose another model.")
    try:
        mean, std = (_of_channels(config[name]) for name in ("mean", "std"))
        return Geometry(height, mean, std, config["interpolation"], config["resize_mode"])
    except (TypeError, ValueError) as error:
        raise BackboneError(f"The preprocessing of the weights cannot be followed: {error}") from error


def _of_channels(value: float | Sequence[float]) -> tuple[float, float, float]:
    """Read a mean or deviation; one number counts for all three channels."""
    values = [value] * 3 if isinstance(value, int | float) else value
    return tuple(float(each) for each in values)  # type: ignore[return-value]  # Geometry counts them


def check_activation(architecture: str, tag: str) -> None:
    """Refuse weights that were trained with another activation than the architecture computes.

    open_clip only warns about QuickGELU, and the embeddings are then wrong without looking wrong. Weights that say
    nothing about their activation and are published for one architecture alone are taken as they are.

    Raises:
        BackboneError: naming the architecture that fits.

    >>> check_activation("ViT-B-32-quickgelu", "openai")
    """
    declared = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu")
    if bool(declared) == _quick_gelu(architecture):
        return
    fitting = [name for name, t in open_clip.list_pretrained() if t == tag and _quick_gelu(name) == bool(declared)]
    nearest = get_close_matches(architecture, fitting, n=1, cutoff=0.0)
    if declared is None and not nearest:
        return
    advice = f"use {nearest[0]},{tag} instead" if nearest else "no architecture of open_clip fits these weights"
    trained, computes = ("QuickGELU", "GELU") if declared else ("GELU", "QuickGELU")
    raise BackboneError(
        f"The weights {tag} were trained with {trained} but the architecture {architecture} computes {computes}; "
        f"{advice}."
    )


def _quick_gelu(architecture: str) -> bool:
    return bool((open_clip.get_model_config(architecture) or {}).get("quick_gelu", False))
