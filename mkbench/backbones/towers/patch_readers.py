"""Readers of patch features and attention keys, one for each kind of image tower."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from mkbench.backbones.towers.hooks import WatchPoint, watch
from mkbench.backbones.towers.traced_blocks import add_to_stream, read_stream
from mkbench.errors import BackboneError


class TowerReader(ABC):
    """Reads patch features of one kind of image tower from what its watch points saw.

    Attributes:
        points: what to watch during the forward pass.
        map_point: where the last features pass that have a place and that the embedding depends on.
        attention_layers: of every block, first to last, if the class token collects the embedding through plain
            attention; empty for other towers.
        grid: rows and columns of patches, (h, w).
        feature_dim: width C of the features.
        patch_size: side of a patch in pixels, the stride of the tower; None for a tower that does not tell.
        capabilities: as ``Backbone.capabilities``.
    """

    points: Mapping[str, WatchPoint]
    map_point: WatchPoint
    attention_layers: Sequence[Module] = ()
    grid: tuple[int, int]
    feature_dim: int
    patch_size: int | None = None
    capabilities: frozenset[str] = frozenset()

    @abstractmethod
    def tokens(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the last features that still have a place in the image, (B, N, C)."""

    def keys(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the keys of the last block's attention, heads side by side, (B, N, C).

        Raises:
            BackboneError: if the tower offers none.
        """
        raise BackboneError("The image tower offers no attention keys; ask for patch features of kind 'tokens'.")

    def values(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the values of the last block's attention, as read in the joint space, (B, N, d).

        Raises:
            BackboneError: if the tower has no ``attention_layers``.
        """
        raise BackboneError("The image tower has no class token with plain attention, so no values to read.")

    def change_map(self, passed: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Replace the map (B, C, h, w) in what passes ``map_point``, and leave prefix tokens as they are."""
        return change(passed)


class SequenceReader(TowerReader):
    """Reads towers whose features are a sequence: prefix tokens, such as the class token, and then the patches."""

    _num_prefix: int

    def change_map(self, passed: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Replace the patch tokens, as a map, in what passes ``map_point``."""
        patches = self._patches(passed)  # (B, N, C)
        changed = change(patches.transpose(1, 2).reshape(len(patches), -1, *self.grid))  # (B, C, h, w)
        return torch.cat([passed[:, : self._num_prefix], changed.flatten(2).transpose(1, 2)], dim=1)

    def _patches(self, sequence: Tensor) -> Tensor:
        expected = self._num_prefix + self.grid[0] * self.grid[1]
        if sequence.ndim != 3 or sequence.shape[1] != expected:
            raise BackboneError(f"Expected {expected} tokens an image from the tower, got {tuple(sequence.shape)}.")
        return sequence[:, self._num_prefix :]  # (B, N, C)


class VisionTransformerReader(SequenceReader):
    """open_clip's own ViT: the last block's output before ``ln_post``, without the class token."""

    def __init__(self, visual: Any) -> None:
        block = visual.transformer.resblocks[-1]
        rows, self.feature_dim = visual.positional_embedding.shape
        self.grid = (int(visual.grid_size[0]), int(visual.grid_size[1]))
        self.patch_size = int(visual.conv1.stride[0])
        self.points = {"block": WatchPoint(block, "output"), "normed": WatchPoint(block.ln_1, "output")}
        self._num_prefix = rows - self.grid[0] * self.grid[1]
        self._visual, self._block, self._attention = visual, block, block.attn
        self.capabilities = frozenset({"keys"}) | self._class_token_capabilities(visual)
        # The class token takes nothing from the patches after the last attention.
        self.map_point = self.points["normed" if "class_token" in self.capabilities else "block"]
        if "heads" in self.capabilities:
            self.attention_layers = tuple(block.attn for block in visual.transformer.resblocks)

    @staticmethod
    def _class_token_capabilities(visual: Any) -> frozenset[str]:
        if visual.attn_pool is not None or visual.pool_type != "tok":
            return frozenset()
        plain = all(isinstance(block.attn, torch.nn.MultiheadAttention) for block in visual.transformer.resblocks)
        return frozenset({"class_token", "heads"} if plain else {"class_token"})

    def tokens(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the patch tokens, (B, N, C)."""
        return self._patches(seen["block"])

    def keys(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the key third of the joint query, key and value projection, (B, N, C)."""
        return self._projected(seen, 1)

    def values(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the value third, as the class token would read each if it looked at nothing else, (B, N, d)."""
        return read_stream(self._visual, add_to_stream(self._block, self._projected(seen, 2)))

    def _projected(self, seen: Mapping[str, Tensor], third: int) -> Tensor:
        """Return a third of the joint projection: 0 queries, 1 keys, 2 values, (B, N, C)."""
        weight, bias = self._attention.in_proj_weight, self._attention.in_proj_bias
        return F.linear(
            self._patches(seen["normed"]), weight.chunk(3)[third], None if bias is None else bias.chunk(3)[third]
        )


class ModifiedResNetReader(TowerReader):
    """CLIP's ResNets: the output of the last stage, before the attention pooling."""

    patch_size = 32  # the stem and the last three stages halve the sides, the stem twice

    def __init__(self, visual: Any) -> None:
        rows, self.feature_dim = visual.attnpool.positional_embedding.shape  # one row is the mean query
        self.grid = (math.isqrt(rows - 1),) * 2
        self.map_point = WatchPoint(visual.layer4, "output")
        self.points = {"map": self.map_point}

    def tokens(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the cells of the last map, (B, N, C)."""
        return seen["map"].flatten(2).transpose(1, 2)


class TimmMapReader(TowerReader):
    """timm trunks with a spatial map (ConvNeXt, ResNet, FastViT): the map that enters the global pooling."""

    def __init__(self, visual: Any, pooling: Module) -> None:
        self.map_point = WatchPoint(pooling, "input")
        self.points = {"map": self.map_point}
        cells = self._probe(visual)
        channels = visual.trunk.num_features
        if cells.ndim != 4 or cells.shape[1] != channels:
            raise BackboneError(
                f"Expected a map with {channels} channels before the pooling of {type(visual.trunk).__name__}, got "
                f"{tuple(cells.shape)}; this trunk is not supported."
            )
        self.feature_dim = channels
        self.grid = (cells.shape[2], cells.shape[3])
        stages = getattr(visual.trunk, "feature_info", None) or [{}]
        self.patch_size = stages[-1].get("reduction")

    def _probe(self, visual: Any) -> Tensor:
        # Trunks round their strides differently, so the grid is measured. The trunk must be in evaluation mode.
        weight = next(visual.trunk.parameters())
        with torch.no_grad(), watch(self.points) as seen:
            visual.trunk(weight.new_zeros(1, 3, *visual.image_size))
        return seen["map"]

    def tokens(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the cells of the last map, (B, N, C)."""
        return seen["map"].flatten(2).transpose(1, 2)


class TimmSequenceReader(SequenceReader):
    """timm ViTs (SigLIP, EVA): the last block's output before the final norm, without prefix tokens."""

    def __init__(self, trunk: Any) -> None:
        height, width = trunk.patch_embed.grid_size
        self.grid = (int(height), int(width))
        self.patch_size = int(trunk.patch_embed.patch_size[0])
        self.feature_dim = trunk.embed_dim
        self.points = {"block": WatchPoint(trunk.blocks[-1], "output")}
        self._num_prefix = trunk.num_prefix_tokens
        if getattr(trunk, "global_pool", "") == "token" and self._num_prefix:
            self.capabilities = frozenset({"class_token"})
        # As above; the input, because the norms of timm's blocks lie in different places.
        self.map_point = WatchPoint(trunk.blocks[-1], "input" if self.capabilities else "output")

    def tokens(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Return the patch tokens, (B, N, C)."""
        return self._patches(seen["block"])


def _timm_reader(visual: Any) -> TowerReader:
    trunk = visual.trunk
    if all(hasattr(trunk, name) for name in ("blocks", "num_prefix_tokens", "patch_embed", "embed_dim")):
        return TimmSequenceReader(trunk)
    for owner in (getattr(trunk, "head", None), trunk):
        pooling = getattr(owner, "global_pool", None)
        if isinstance(pooling, Module):
            return TimmMapReader(visual, pooling)
    raise BackboneError(f"The timm trunk {type(trunk).__name__} has neither a patch sequence nor a pooled map to read.")


READERS: Mapping[str, Callable[[Any], TowerReader]] = {
    "VisionTransformer": VisionTransformerReader,
    "ModifiedResNet": ModifiedResNetReader,
    "TimmModel": _timm_reader,
}


def tower_reader(visual: Module) -> TowerReader:
    """Find the reader of an image tower by its class, or by a class that it derives from.

    Args:
        visual: the image tower of an open_clip model, in evaluation mode.

    Raises:
        BackboneError: if no reader knows the tower.
    """
    for kind in type(visual).__mro__:
        if kind.__name__ in READERS:
            return READERS[kind.__name__](visual)
    raise BackboneError(f"Expected an image tower of {', '.join(READERS)}, got {type(visual).__name__}.")
