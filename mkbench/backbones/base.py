"""Base class of the models that can be benchmarked: an image encoder with patches, and a text encoder."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from mkbench.backbones.block_trace import BlockTrace
from mkbench.backbones.geometry import Geometry
from mkbench.errors import BackboneError

Kind = Literal["tokens", "keys", "both"]
T = TypeVar("T", bound="Backbone")


class PatchFeatures(NamedTuple):
    """Features of every patch and the embedding of the image, both of one forward pass.

    Attributes:
        features: (B, N, C), the patches in raster order.
        embedding: (B, d), unnormalised, as ``encode_image`` gives it.
    """

    features: Tensor
    embedding: Tensor


class ValueFeatures(NamedTuple):
    """Features of every patch, the embedding, and the patches in the joint space, all of one forward pass.

    Attributes:
        features: (B, N, C), as ``patch_features`` gives them.
        embedding: (B, d), as there.
        values: (B, N, d), the values of the last attention, through its output weights, the final norm and the
            projection; not normalised.
    """

    features: Tensor
    embedding: Tensor
    values: Tensor


class AttentionPass(NamedTuple):
    """An embedding and the attention that led to it.

    Attributes:
        embedding: (B, d) fp32, unnormalised.
        weights: of every block, first to last, (B, H, T, T): what a row's token takes from each column's token, after
            the softmax, in fp32. Token 0 is the class token, whose last state gives the embedding; the last N tokens
            are the patches in raster order.
    """

    embedding: Tensor
    weights: tuple[Tensor, ...]


class RelevancePass(NamedTuple):
    """An embedding, computed so that gradient times input is relevance.

    Attributes:
        embedding: (B, d) fp32, unnormalised, connected to the inputs.
        inputs: (B, 3, S, S) fp32 normalised pixels.
    """

    embedding: Tensor
    inputs: Tensor


class Backbone(torch.nn.Module, ABC):
    """A frozen CLIP model: an image encoder with a patch grid, and a text encoder into the same joint space.

    A subclass implements ``encode_image``, ``encode_text`` and ``patch_features``; ``prepare_pixels`` does the checks
    and the normalisation for it. One with layers that act differently in training ends its constructor with
    ``self.eval()``. It may be named in a configuration by ``class_path`` or published under the
    entry-point group ``mkbench.backbones``.

    Args:
        name: how results call the model.
        geometry: the resizing and normalisation of the weights.
        grid: rows and columns of the patch grid, (h, w); N = h * w.
        embed_dim: width d of the joint space.
        feature_dim: width C of the features of kind ``"tokens"``.
        capabilities: any of ``"class_token"`` (the embedding is read from a class token), ``"keys"`` (kind
            ``"keys"`` of ``patch_features``) and ``"heads"`` (the embedding can be decomposed over attention heads).
        random_weights: whether the weights are random, so that no result may be mistaken for a measurement.

    Attributes:
        truncated_texts: how many of the texts encoded so far were longer than the context of the text encoder.
        prepared_images: how many images ``prepare_pixels`` was given so far, once for each forward pass.

    >>> class Constant(Backbone):
    ...     def encode_image(self, pixels):
    ...         return self.prepare_pixels(pixels).mean(dim=(2, 3))
    ...     def encode_text(self, texts):
    ...         return torch.ones(len(texts), self.embed_dim)
    ...     def patch_features(self, pixels, kind="tokens"):
    ...         return PatchFeatures(self.prepare_pixels(pixels).flatten(2).transpose(1, 2), self.encode_image(pixels))
    >>> geometry = Geometry(size=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> toy = Constant(name="toy", geometry=geometry, grid=(2, 2), embed_dim=3, feature_dim=3)
    >>> toy.encode_image(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
    tensor([[1., 1., 1.]])
    """

    def __init__(
        self,
        *,
        name: str,
        geometry: Geometry,
        grid: tuple[int, int],
        embed_dim: int,
        feature_dim: int,
        capabilities: frozenset[str] = frozenset(),
        random_weights: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.geometry = geometry
        self.grid = grid
        self.embed_dim = embed_dim
        self.feature_dim = feature_dim
        self.capabilities = capabilities
        self.random_weights = random_weights
        self.truncated_texts = 0
        self.prepared_images = 0
        self._fingerprint: tuple[object, str] | None = None

    @abstractmethod
    def encode_image(self, pixels: Tensor) -> Tensor:
        """Embed images: (B, 3, S, S) -> (B, d) fp32, unnormalised.

        Pixels are uint8 of 0 to 255, or floating and then taken as already normalised.
        """

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed T texts, all in one batch: -> (T, d) fp32, unnormalised; counts those it had to truncate."""

    @abstractmethod
    def patch_features(self, pixels: Tensor, kind: Kind = "tokens") -> PatchFeatures:
        """Read patch features (B, N, C) and the embedding (B, d) from one forward pass over (B, 3, S, S) pixels.

        Args:
            pixels: as for ``encode_image``.
            kind: ``"tokens"``, the output of the last block or stage; ``"keys"``, the keys of its attention;
                ``"both"``, the two side by side (width 2C).
        """

    def value_features(self, pixels: Tensor, kind: Kind = "tokens") -> ValueFeatures:
        """Read patch features, the embedding and the patches in the joint space from one forward pass.

        A subclass that offers it can have the region encoder ``pooled``.

        Args:
            pixels: as for ``encode_image``.
            kind: as for ``patch_features``.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise self._without_attention()

    def embed_through_map(self, pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Embed images while a function replaces the last map that the embedding is computed from.

        Gradients are recorded where the caller enables them. A subclass that offers it can be explained by Grad-CAM.

        Args:
            pixels: as for ``encode_image``.
            change: the map (B, C, h, w) -> the map to go on with, of the same shape.

        Returns:
            (B, d) fp32, unnormalised.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise BackboneError(
            f"Expected a model that offers its last map, found {self.name}; choose a model of open_clip, or give its "
            "class the method embed_through_map."
        )

    def embed_with_attention(self, pixels: Tensor) -> AttentionPass:
        """Embed images and return the attention weights of every block, connected to the embedding.

        Gradients of the embedding by the weights are recorded where the caller enables them. A subclass that offers it
        can be explained by attention rollout.

        Args:
            pixels: as for ``encode_image``.

        Returns:
            ``AttentionPass``.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise self._without_attention()

    def embed_masked(self, pixels: Tensor, masked: Tensor) -> Tensor:
        """Embed images while no token of any block takes anything from some of the patches.

        A subclass that offers it can be explained by masking clusters of patches.

        Args:
            pixels: as for ``encode_image``.
            masked: (B, N) bool, the patches to leave out, in raster order.

        Returns:
            (B, d) fp32, unnormalised.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise self._without_attention()

    def trace_blocks(self, pixels: Tensor) -> BlockTrace:
        """Return what passes the blocks of one forward pass, each block cut off from the gradients of others.

        A subclass that offers it can be explained by Grad-ECLIP, LeGrad and CLIP Surgery.

        Args:
            pixels: as for ``encode_image``.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise self._without_attention()

    def embed_with_relevance(self, pixels: Tensor) -> RelevancePass:
        """Embed images by rules under which gradient times input is relevance, in fp32.

        A subclass that offers it can be explained by AttnLRP.

        Args:
            pixels: as for ``encode_image``.

        Raises:
            BackboneError: if the model does not offer it.
        """
        raise self._without_attention()

    def _without_attention(self) -> BackboneError:
        return BackboneError(
            f"Expected a vision transformer of open_clip with a class token and plain attention, found {self.name}; "
            "choose such a model, or an explainer that does not read attention."
        )

    @property
    def image_size(self) -> int:
        """Side S of the images, in pixels."""
        return self.geometry.size

    @property
    def patch_size(self) -> int:
        """Side P of a patch, in pixels: patch i covers P pixels from i * P on.

        By default the largest that fits as often as there are rows of patches; a subclass whose model leaves a row of
        pixels for each patch or more unread says its own.
        """
        return self.geometry.size // self.grid[0]

    @property
    def context_length(self) -> int | None:
        """Most tokens of a text, those for its start and end included; None for a model that does not say."""
        return None

    def count_tokens(self, texts: Sequence[str]) -> list[int] | None:
        """Count the tokens of T texts before truncation, without encoding them; None for a model that does not say.

        A subclass that truncates gives this and ``context_length``, so that too long texts are found before a run.

        Returns:
            T counts, start and end tokens included, or None.
        """
        return None

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next((tensor.device for tensor in self._tensors()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return next((tensor.dtype for tensor in self._tensors() if tensor.is_floating_point()), torch.float32)

    @property
    def num_parameters(self) -> int:
        """Number of weights of both encoders."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of weights, geometry and precision; the same on every device.

        Computed when first asked for, and again after weights were replaced or edited in place (edits through
        ``parameter.data`` alone go unseen).
        """
        state = (self.geometry, self.dtype, [(tensor.data_ptr(), _version(tensor)) for tensor in self._tensors()])
        if self._fingerprint is None or self._fingerprint[0] != state:
            self._fingerprint = state, hash_weights(self.state_dict(), self.geometry, self.dtype)
        return self._fingerprint[1]

    def token_digest(self, texts: Sequence[str]) -> str:
        """Return a hash of what the text encoder reads of these texts, beyond the texts themselves.

        Kept text embeddings are used again only while it stays the same. A subclass whose tokenizer may change while
        the weights stay returns a hash of the tokens; the default is for those where it may not.
        """
        return ""

    def train(self: T, mode: bool = True) -> T:
        """Stay in evaluation mode: a frozen model must not update batch statistics or drop patches."""
        super().train(False)
        return self

    def prepare_pixels(self, pixels: Tensor) -> Tensor:
        """Check pixels and bring them to the model's normalisation, device and precision.

        Args:
            pixels: (B, 3, S, S); uint8 of 0 to 255, or floating and then left as they are.

        Raises:
            ValueError: for another shape or another type.
        """
        self.prepared_images += len(pixels)
        side = self.image_size
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, side, side):
            raise ValueError(f"Expected pixels (B, 3, S, S) with S={side} for {self.name}, got {tuple(pixels.shape)}.")
        if pixels.is_floating_point():
            return pixels.to(self.device, self.dtype)
        if pixels.dtype != torch.uint8:
            raise ValueError(f"Expected uint8 pixels of 0 to 255 or normalised floating ones, got {pixels.dtype}.")
        scaled = pixels.to(self.device).float() / 255  # bytes travel, not floats
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (self.geometry.mean, self.geometry.std))
        return ((scaled - mean) / std).to(self.dtype)

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        # A cast there and back may land at the old address with other values.
        self._fingerprint = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _tensors(self) -> Iterator[Tensor]:
        """Walk through all weights, no further than the caller asks: the modules of a large model take milliseconds."""
        return chain(self.parameters(), self.buffers())


def hash_weights(state: Mapping[str, Tensor], geometry: Geometry, dtype: torch.dtype) -> str:
    """Hash a state dict tensor by tensor, in the order of the names, without serialising it.

    Args:
        state: names and tensors, on any device.
        geometry: the geometry of the weights.
        dtype: the precision that the model runs in.

    Returns:
        64 hexadecimal digits.

    >>> geometry = Geometry(size=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    >>> one, two = (hash_weights({"w": torch.full((2,), v)}, geometry, torch.float32) for v in (1.0, 2.0))
    >>> len(one), one == two
    (64, False)
    """
    digest = hashlib.sha256(json.dumps([asdict(geometry), str(dtype)], sort_keys=True).encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _version(tensor: Tensor) -> int:
    # Tensors made under inference mode cannot be edited in place outside it and carry no counter.
    return 0 if tensor.is_inference() else tensor._version
