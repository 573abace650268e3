"""State dicts of open_clip models: read, fitted to a model, and checked before they are loaded."""

from collections.abc import Mapping
from pathlib import Path

import torch
from open_clip.factory import convert_state_dict, load_state_dict
from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed
from torch import Tensor
from torch.nn import Module

from mkbench.backbones.finite import NUM_NAMED
from mkbench.errors import BackboneError, name_some

#: What `torch.compile` and data-parallel wrappers put before the names of weights.
_COMPILED, _PARALLEL = "_orig_mod.", "module."
#: A buffer of older versions of transformers that newer ones compute.
_POSITION_IDS = "text.transformer.embeddings.position_ids"


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict to fp32, without unpickling code, and without the prefixes of wrapped models.

    Args:
        path: safetensors, or what ``torch.save`` wrote of tensors alone.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"_orig_mod.weight": torch.ones(1).half()}, Path(folder) / "w.safetensors")
    ...     read_state(Path(folder) / "w.safetensors")
    {'weight': tensor([1.])}
    """
    state: dict[str, Tensor] = load_state_dict(str(path), device="cpu", weights_only=True)
    return {
        name.replace(_COMPILED, "").removeprefix(_PARALLEL): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }


def fit_state(state: dict[str, Tensor], model: Module) -> dict[str, Tensor]:
    """Bring a state dict to the names and the image size of a model, as open_clip does.

    Positional embeddings of another grid or another context length are interpolated.

    Args:
        state: names and fp32 tensors; not changed.
        model: the open_clip model that is to take them.
    """
    own = model.state_dict()
    fitted: dict[str, Tensor] = convert_state_dict(model, dict(state))
    if "positional_embedding" in fitted and "positional_embedding" not in own:
        fitted = convert_to_custom_text_state_dict(fitted)
    if _POSITION_IDS not in own:
        fitted.pop(_POSITION_IDS, None)
    for name in ("logit_scale", "logit_bias"):  # a scalar or a vector of one
        if name in fitted and name in own and fitted[name].numel() == 1:
            fitted[name] = fitted[name].reshape(own[name].shape)
    if "logit_bias" in own:  # weights of a softmax model in one with a sigmoid
        fitted.setdefault("logit_bias", torch.zeros_like(own["logit_bias"]))
    if _of_one_width("visual.positional_embedding", fitted, own):
        resize_pos_embed(fitted, model)
    if any(_of_one_width(name, fitted, own) for name in ("positional_embedding", "text.positional_embedding")):
        resize_text_pos_embed(fitted, model)
    return fitted


def load_weights(model: Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Load a state dict into a model, or say what does not fit.

    Args:
        model: an open_clip model.
        state: as ``read_state`` gives it.
        source: what the weights are called in errors.

    Raises:
        BackboneError: naming the weights that are missing, left over, or of another shape.

    >>> load_weights(torch.nn.Linear(2, 1), {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, source="w")
    >>> load_weights(torch.nn.Linear(2, 1), {"weight": torch.ones(1, 3)}, source="w.safetensors")
    Traceback (most recent call last):
    ...
    mkbench.errors.BackboneError: The weights in w.safetensors do not fit the model: 1 missing (bias), weight has the \
shape (1, 3) instead of (1, 2); the configuration must be that of the model they were saved from.
    """
    fitted = fit_state(dict(state), model)
    misfits = describe_misfits(fitted, model.state_dict())
    if misfits:
        raise BackboneError(
            f"The weights in {source} do not fit the model: {', '.join(misfits)}; the configuration must be that of "
            "the model they were saved from."
        )
    model.load_state_dict(fitted)


def describe_misfits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Say which weights are missing, which are left over, and the first that has another shape.

    >>> describe_misfits({"a": torch.ones(1), "b": torch.ones(2)}, {"b": torch.ones(3), "c": torch.ones(1)})
    ['1 missing (c)', '1 too many (a)', 'b has the shape (2,) instead of (3,)']
    """
    missing = [name for name in own if name not in state]
    surplus = [name for name in state if name not in own]
    reshaped = (name for name in own if name in state and state[name].shape != own[name].shape)
    found = [f"{len(missing)} missing ({name_some(missing, shown=NUM_NAMED)})"] if missing else []
    found += [f"{len(surplus)} too many ({name_some(surplus, shown=NUM_NAMED)})"] if surplus else []
    return found + [
        f"{name} has the shape {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in list(reshaped)[:1]
    ]


def _of_one_width(name: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    return name in state and name in own and state[name].shape[1:] == own[name].shape[1:]
