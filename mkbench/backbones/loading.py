"""Loading of backbones by name: named models, open_clip pairs, model folders, class paths and entry points."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import open_clip

from mkbench.backbones.base import Backbone
from mkbench.backbones.building import build_random, build_with_weights
from mkbench.backbones.deferred_text import has_hugging_face_text, needing_hugging_face
from mkbench.backbones.external_backbones import find_plugin, load_plugin, published_names
from mkbench.backbones.finite import require_finite_weights
from mkbench.backbones.known_models import model_entries
from mkbench.backbones.local import PREFIX, WEIGHTS_FILE, load_local
from mkbench.backbones.openclip import DeferredTokenizer, OpenClipBackbone, check_activation
from mkbench.errors import BackboneError, UsageError, did_you_mean


@dataclass(frozen=True)
class Source:
    """Source of a model: a folder, or an architecture of open_clip with a tag of weights (or none)."""

    name: str
    architecture: str = ""
    tag: str | None = None
    folder: Path | None = None


def load_backbone(name: str, *, pretrained: str | None = None, random_weights: bool = False, seed: int = 0) -> Backbone:
    """Load a model by name: in evaluation mode, in fp32, frozen.

    Args:
        name: a name of ``model_entries()``; an open_clip pair ``"ViT-B-16-quickgelu,openai"``; an architecture of
            open_clip, with ``pretrained``; ``"local-dir:FOLDER"``; a name that another distribution publishes under
            the entry-point group ``mkbench.backbones`` (a callable without arguments returning a Backbone); or the
            class path ``"module.Class"`` of a Backbone that takes no arguments.
        pretrained: open_clip's tag of the weights, if ``name`` is an architecture.
        random_weights: build the architecture with random weights, for trials without a download. The geometry is
            still that of the weights named, if any are, and the name of the backbone ends in "(random weights)".
        seed: seed of the random weights; the caller's random state is left alone.

    Raises:
        UsageError: for an unknown name or tag, or for an architecture without weights.
        BackboneError: if the weights cannot be had, do not fit the architecture or are not finite.

    >>> backbone = load_backbone("ViT-S-32-alt", random_weights=True)
    >>> backbone.name, backbone.grid, backbone.embed_dim
    ('ViT-S-32-alt (random weights)', (7, 7), 256)
    """
    backbone = _load(name, pretrained, random_weights, seed)
    if not backbone.random_weights:
        require_finite_weights(backbone, backbone.name)
    return backbone


def _load(name: str, pretrained: str | None, random_weights: bool, seed: int) -> Backbone:
    # The package's own names come first, so that none can be taken over.
    plugin = None if _is_known(name) else find_plugin(name)
    if plugin is not None:
        if pretrained is not None or random_weights:
            raise UsageError(f"The backbone {name} of {plugin.origin} takes neither pretrained nor random_weights.")
        return load_plugin(plugin)
    source = _find_source(name, pretrained)
    if source.folder is not None:
        shown = _random_name(source.name) if random_weights else source.name
        return load_local(source.folder, name=shown, random_weights=random_weights, seed=seed)
    if source.tag is not None:
        check_activation(source.architecture, source.tag)
    return OpenClipBackbone(
        _build_random(source, seed) if random_weights else _build_pretrained(source),
        DeferredTokenizer(partial(_load_tokenizer, source.architecture)),
        name=_random_name(source.name) if random_weights else source.name,
        embed_dim=open_clip.get_model_config(source.architecture)["embed_dim"],
        random_weights=random_weights,
    )


def _is_known(name: str) -> bool:
    return name in {entry.name for entry in model_entries()} or name in open_clip.list_models()


def backbone_name(name: str, *, pretrained: str | None = None, random_weights: bool = False) -> str:
    """Return what results will call a model, without loading it; arguments as of :func:`load_backbone`.

    Raises:
        UsageError: for an unknown name or tag.

    >>> backbone_name("ViT-B-16-quickgelu,openai"), backbone_name("RN50", random_weights=True)
    ('vit-b-16-openai', 'RN50 (random weights)')
    """
    if not _is_known(name) and find_plugin(name) is not None:
        return name
    source = _find_source(name, pretrained)
    return _random_name(source.name) if random_weights else source.name


def _random_name(name: str) -> str:
    return f"{name} (random weights)"


def _find_source(name: str, pretrained: str | None) -> Source:
    entries = {entry.name: entry for entry in model_entries()}
    architecture, _, tag = name.partition(",")
    if pretrained is not None and (name.startswith(PREFIX) or name in entries or tag):
        raise UsageError(f"The name {name} already says which weights to load; leave out pretrained={pretrained!r}.")
    if name.startswith(PREFIX):
        folder = Path(os.path.expanduser(name.removeprefix(PREFIX))).resolve()
        return Source(folder.name, folder=folder)
    if name in entries:
        entry = entries[name]
        if entry.bundled:
            return Source(name, folder=_bundled_folder(name, entry.folder))
        return Source(name, entry.architecture, entry.pretrained)
    if architecture not in open_clip.list_models():
        known = [*entries, *published_names(), *open_clip.list_models()]
        raise UsageError(f"Expected the name of a model, got {name!r}; {did_you_mean(architecture, known)}.")
    return _pair(architecture, tag or pretrained)


def _pair(architecture: str, tag: str | None) -> Source:
    """Check an architecture with a tag; a pair that has a name of its own goes by that name."""
    if tag is None:
        return Source(architecture, architecture)
    tags = [known for name, known in open_clip.list_pretrained() if name == architecture]
    if not open_clip.get_pretrained_cfg(architecture, tag):
        advice = did_you_mean(tag, tags) if tags else "open_clip publishes no weights for it"
        raise UsageError(f"Expected a tag of weights for {architecture}, got {tag!r}; {advice}.")
    tag = tag.lower().replace("-", "_")  # as open_clip reads tags
    named = {(entry.architecture, entry.pretrained): entry.name for entry in model_entries()}
    return Source(named.get((architecture, tag), f"{architecture},{tag}"), architecture, tag)


def _bundled_folder(name: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise BackboneError(
            f"The bundled model {name} is missing from this installation (expected in {folder}); reinstall mkbench."
        )
    return folder


def _build_random(source: Source, seed: int) -> Any:
    geometry = open_clip.get_pretrained_cfg(source.architecture, source.tag) if source.tag else None
    build = partial(build_random, source.architecture, seed=seed, preprocess=geometry)
    if has_hugging_face_text(open_clip.get_model_config(source.architecture)):
        with needing_hugging_face(f"The text tower of {source.architecture}"):
            return build()
    try:
        return build()
    except Exception as error:  # an image tower that this version of timm does not know
        raise BackboneError(f"The architecture {source.architecture} cannot be built: {error}.") from error


def _build_pretrained(source: Source) -> Any:
    if source.tag is None:
        tags = [tag for architecture, tag in open_clip.list_pretrained() if architecture == source.architecture]
        known = f"name one of its tags ({', '.join(tags)})" if tags else "open_clip publishes none for it"
        raise UsageError(f"The architecture {source.architecture} needs weights: {known}, or ask for random_weights.")
    try:
        if has_hugging_face_text(open_clip.get_model_config(source.architecture)):
            geometry = open_clip.get_pretrained_cfg(source.architecture, source.tag)
            return build_with_weights(source.architecture, open_clip.download_pretrained(geometry), preprocess=geometry)
        return open_clip.create_model_from_pretrained(source.architecture, source.tag, return_transform=False)
    except BackboneError:
        raise
    except Exception as error:  # the network, the hub, the cache or a damaged file: the remedy is the same
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise BackboneError(
            f"The weights {source.tag} of {source.architecture} cannot be had ({reason}); without network, "
            f"{_by_hand(open_clip.get_pretrained_cfg(source.architecture, source.tag))}."
        ) from error


def _by_hand(config: dict[str, Any]) -> str:
    """Say which file has to be put where."""
    if config.get("hf_hub"):
        path = PurePosixPath(config["hf_hub"])
        # An entry ends in a slash when it names the repository alone, and in a file name otherwise.
        repository = path if config["hf_hub"].endswith("/") else path.parent
        return (
            f"fetch https://huggingface.co/{repository} elsewhere and copy it into the Hugging Face cache (HF_HOME), "
            f"or put its open_clip_config.json and {WEIGHTS_FILE} into a folder and load {PREFIX}FOLDER"
        )
    return f"fetch {config.get('url')} elsewhere and put the file into ~/.cache/clip"


def _load_tokenizer(architecture: str) -> Any:
    with needing_hugging_face(f"The tokenizer of {architecture}"):
        return open_clip.get_tokenizer(architecture)
